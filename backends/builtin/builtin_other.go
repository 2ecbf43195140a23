// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin && !windows

package builtin

import "github.com/caisson-sandbox/caisson/core/backend"

// Backends returns the backends of this system: it has none.
func Backends(Options) []backend.Backend { return nil }
