// SPDX-License-Identifier: Apache-2.0

// Command caisson runs commands in a sandbox: they read broadly, write only in
// the workspace, and have no network unless it is asked for.
//
// It links the built-in backends only. Where a command needs a backend that is
// a program of its own it executes caisson-full, which can host one.
//
// See `caisson help` and docs/contract.md. Everything it does is in
// cmd/internal/cli, which the other builds of the command share.
package main

import (
	"os"

	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func main() {
	// The conformance suite runs this executable inside the sandboxes it judges.
	conformance.Main(sandbox.Backends()...)
	os.Exit(cli.Main(os.Args[1:]))
}
