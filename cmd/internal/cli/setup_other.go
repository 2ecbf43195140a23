// SPDX-License-Identifier: Apache-2.0

//go:build !windows && !linux

package cli

import (
	"context"
	"fmt"
)

const nothingNeeded = "nothing is needed on this system"

func (p *program) setupInstall(setupChoices) error {
	fmt.Fprintln(p.stdout, nothingNeeded)
	return nil
}

func (p *program) setupStatus(_ context.Context, _, asJSON bool, _ setupChoices) error {
	if asJSON {
		return printJSON(p.stdout, map[string]string{"state": "not-needed"})
	}
	fmt.Fprintln(p.stdout, nothingNeeded)
	return nil
}

func (p *program) setupUninstall(setupChoices) error {
	fmt.Fprintln(p.stdout, nothingNeeded)
	return nil
}
