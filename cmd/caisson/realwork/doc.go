// SPDX-License-Identifier: Apache-2.0

// Package realwork holds the tests of the promise that real tools run
// unchanged: the same script runs bare and in a sandbox, in two fresh
// workspaces at one path, and must end alike: exit status, output and files.
// Beside the tools it tests what a terminal, a pipeline and a host see of
// caisson itself: job control, descriptors, and that nothing is left behind.
//
// A test adds a row to one of the tables; see the type row. Rows whose programs
// are missing are skipped by name. As root every row also runs as an ordinary
// user. With -short the long rows are left out.
package realwork
