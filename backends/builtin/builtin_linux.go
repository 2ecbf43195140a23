// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"github.com/caisson-sandbox/caisson/backends/linux"
	"github.com/caisson-sandbox/caisson/core/backend"
)

// Backends returns the backends of this system.
func Backends(o Options) []backend.Backend {
	options := linux.Options{Try: o.Try, StateDir: o.StateDir, Anew: o.Anew}
	return []backend.Backend{linux.New(options), linux.NewLandlock(options)}
}
