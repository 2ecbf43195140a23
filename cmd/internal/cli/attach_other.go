// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/cmd/internal/session"
)

// Sessions are there on Linux alone; what asks for one says so.
func (p *program) startHolder(*startFlags) error {
	_, err := session.Claim(stateDir(), session.NewName())
	return err
}

func (p *program) hold(context.Context, *startFlags) error { return p.startHolder(nil) }

func (j *job) runInSession(*cobra.Command, []string) error { return j.refuse(j.startHolder(nil)) }
