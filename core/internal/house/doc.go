// SPDX-License-Identifier: Apache-2.0

// Package house holds no code, only tests of the rules of this repository:
// what every file must look like, which package may import which, and that the
// documentation says what the code does. CONTRIBUTING.md explains the rules.
//
// Parts of the documentation are generated; after a change to a table that
// they come from, run
//
//	go test ./core/internal/house -update
package house
