// SPDX-License-Identifier: Apache-2.0

// Package helper is the program caisson-winhelper, which executes what plans
// for Windows say and what setup needs.
//
//	caisson-winhelper setup|teardown|check   the elevated part
//	caisson-winhelper run                    a sandbox, unelevated
//
// What it is told comes on a pipe, never in arguments or in the environment,
// which other programs can read or set. It talks to no network and links
// neither a plugin protocol nor a command line library.
//
// Setup (changes.go, setup.go, teardown.go, status.go) is logic over the
// interface System; a run's entries in access lists (session.go) are logic over
// the interface Files. The files that end in _windows.go implement both. So
// crashes at every point are tested on any system.
package helper
