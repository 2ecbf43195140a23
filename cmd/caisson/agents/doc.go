// SPDX-License-Identifier: Apache-2.0

// Package agents holds the tests of what agents in other languages hold open
// sandboxes with: caisson serve, sessions, and the clients in docs/clients. They
// run the command itself, and judge from outside what it left.
package agents
