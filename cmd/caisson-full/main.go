// SPDX-License-Identifier: Apache-2.0

// Command caisson-full is caisson with the hosting of backend plugins linked
// in. It does all that caisson does. It is a program of its own because what
// plugins need makes every start slower: caisson executes it where a command
// needs a plugin, and it need not be in PATH.
package main

import (
	"context"
	"os"

	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/plugins/host"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

func main() { os.Exit(cli.MainHosting(os.Args[1:], hosting{})) }

// hosting gives the command line the plugin host.
type hosting struct{}

func (hosting) Start(ctx context.Context, found registry.Plugin, log func(string), reserved []string) (cli.Running, error) {
	p, err := host.Start(ctx, found, host.Options{Log: log, Reserved: reserved})
	if err != nil {
		return nil, err // not a nil pointer in an interface
	}
	return p, nil
}

func (hosting) Attach(ctx context.Context, file string, reserved []string) (cli.Running, error) {
	p, err := host.Attach(ctx, file, host.Options{Reserved: reserved})
	if err != nil {
		return nil, err
	}
	return p, nil
}
