// SPDX-License-Identifier: Apache-2.0

// Command caisson-backend-windows is the backend of Windows as a plugin. Caisson
// for Windows has it built in; this one is for a caisson that has not, and for a
// newer backend than the one that is there.
//
// A plugin is one backend. Which of those of Windows it is follows from the name
// that the program is installed under:
//
//	caisson-backend-windows            windows/account
//	caisson-backend-windows-lean       windows/account-lean
//	caisson-backend-windows-token      windows/token
//	caisson-backend-windows-container  windows/container
//
// It bears the name "plugged/" instead of "windows/", since no plugin may have
// the name of a backend that is built in. It plans: accounts, filters and their
// removal stay with `caisson setup` and the helper, whose setup it finds.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/plugins/sdk"
)

func main() {
	b, err := served(os.Args[0], policy.OSHost().OwnDirs().State)
	if err != nil {
		fmt.Fprintln(os.Stderr, "caisson-backend-windows: "+err.Error())
		os.Exit(2)
	}
	sdk.Serve(b)
}

// served returns the backend that a program of this name serves.
func served(program, state string) (backend.Backend, error) {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(program)), ".exe")
	tier, ok := map[string]string{
		"caisson-backend-windows":           windows.AccountName,
		"caisson-backend-windows-lean":      windows.LeanName,
		"caisson-backend-windows-token":     windows.TokenName,
		"caisson-backend-windows-container": windows.ContainerName,
	}[name]
	if !ok {
		return nil, fmt.Errorf("there is no backend for the name %q", name)
	}
	for _, b := range windows.New(windows.Options{StateDir: state}) {
		if b.Info().Name == tier {
			return plugged{b}, nil
		}
	}
	return nil, fmt.Errorf("%s is not there", tier)
}

// plugged is a backend under a name that a plugin may have.
type plugged struct{ backend.Backend }

func pluggedName(name string) string { return "plugged/" + strings.TrimPrefix(name, "windows/") }

func (p plugged) Info() backend.Info {
	i := p.Backend.Info()
	i.Name = pluggedName(i.Name)
	return i
}

func (p plugged) Prepare(ctx context.Context, r backend.Request) (*plan.Plan, error) {
	made, err := p.Backend.Prepare(ctx, r)
	if err == nil {
		made.Backend = pluggedName(made.Backend)
	}
	return made, err
}
