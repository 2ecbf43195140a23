// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"github.com/caisson-sandbox/caisson/backends/windows"
	"github.com/caisson-sandbox/caisson/core/backend"
)

// Backends returns the backends of this system.
func Backends(o Options) []backend.Backend {
	return windows.New(windows.Options{StateDir: o.StateDir})
}
