// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package linux

import (
	"context"
	"errors"
	"runtime"
)

// probe refuses: the facts of Linux cannot be found elsewhere.
func probe(context.Context, Options) (Facts, error) {
	return Facts{}, errors.New(Name + " needs Linux, this is " + runtime.GOOS)
}

// probeFence refuses like probe.
func probeFence(ctx context.Context, o Options) (Facts, error) { return probe(ctx, o) }
