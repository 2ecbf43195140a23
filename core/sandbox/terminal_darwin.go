// SPDX-License-Identifier: Apache-2.0

package sandbox

import "github.com/caisson-sandbox/caisson/core/launch/sandboxexec"

// findTerminal returns the path of the terminal that one of the standard
// streams is connected to, or "".
func findTerminal() string {
	for fd := range 3 {
		if name := sandboxexec.TTYName(fd); name != "" {
			return name
		}
	}
	return ""
}
