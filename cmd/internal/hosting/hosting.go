// SPDX-License-Identifier: Apache-2.0

// Package hosting gives the command line the plugin host: it is what
// caisson-full links and caisson does not.
package hosting

import (
	"context"

	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/plugins/host"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// New returns the host of this process. It may be used by many goroutines.
func New() cli.Hosting { return hosting{} }

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
