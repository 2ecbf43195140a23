// SPDX-License-Identifier: Apache-2.0

//go:build !darwin

package seatbelt

import (
	"context"
	"errors"
	"runtime"
)

// probe refuses: the facts of macOS cannot be found elsewhere.
func probe(context.Context, Options) (Facts, error) {
	return Facts{}, errors.New(Name + " needs macOS, this is " + runtime.GOOS)
}
