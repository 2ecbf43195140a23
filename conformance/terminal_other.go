// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package conformance

import (
	"errors"
	"os"
)

// Only the cases of Linux look at these.

func rawMode(*os.File) error    { return errors.ErrUnsupported }
func waitingInput(*os.File) int { return 0 }
func cooked(*os.File) bool      { return false }
