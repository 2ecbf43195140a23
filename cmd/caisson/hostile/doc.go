// SPDX-License-Identifier: Apache-2.0

// Package hostile holds attacks on the sandbox, as tests.
//
// An act is one thing that hostile code does, by system calls, in a re-executed
// copy of the test binary. It runs twice: without a sandbox, where it must do
// its harm (else the bait is broken and the case fails), and inside one, where
// it must not. What counts is what happened outside, never what the act says
// of itself.
package hostile
