// SPDX-License-Identifier: Apache-2.0

package policy

import "strings"

// Layer says which layer of the policy a rule with this origin belongs to, as
// LayerKind.String does.
func (o Origin) Layer() string {
	switch {
	case o.File == originStandard:
		return LayerStandard.String()
	case o.File == originProgram || strings.HasPrefix(o.File, "--"):
		return LayerFlag.String()
	}
	return LayerOf(o.File).String()
}
