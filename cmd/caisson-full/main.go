// SPDX-License-Identifier: Apache-2.0

// Command caisson-full is caisson with the hosting of backend plugins linked
// in. It does all that caisson does. It is a program of its own because what
// plugins need makes every start slower: caisson executes it where a command
// needs a plugin, and it need not be in PATH.
package main

import (
	"os"

	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/cmd/internal/hosting"
	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func main() {
	// The conformance suite runs this executable inside the sandboxes it judges.
	conformance.Main(sandbox.Backends()...)
	os.Exit(cli.MainHosting(os.Args[1:], hosting.New()))
}
