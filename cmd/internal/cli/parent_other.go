// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package cli

import (
	"context"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// withParent refuses: only Linux lets a process be waited for by one that is not
// its parent.
func withParent(context.Context) (context.Context, context.CancelFunc, error) {
	return nil, nil, diag.New(diag.UsageInvalid, "--with-parent is there on Linux alone", "")
}
