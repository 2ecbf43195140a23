// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"github.com/caisson-sandbox/caisson/backends/seatbelt"
	"github.com/caisson-sandbox/caisson/core/backend"
)

// Backends returns the backends of this system.
func Backends(o Options) []backend.Backend {
	return []backend.Backend{seatbelt.New(seatbelt.Options{Try: o.Try, Proxy: true})}
}
