// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"reflect"

	"github.com/caisson-sandbox/caisson/core/internal/schema"
)

// ResolvedSchema returns the JSON Schema (2020-12) of resolved policies, which
// is what a backend is asked for a plan of. An access is 0 for hidden, 1 for
// readable, 2 for writable.
func ResolvedSchema() ([]byte, error) {
	top := schema.Of(reflect.TypeFor[resolvedData](), func(t reflect.Type, key string) map[string]any {
		switch {
		case key == "format":
			return map[string]any{"const": resolvedFormat}
		case t == reflect.TypeFor[Access]():
			return map[string]any{"enum": []Access{Hidden, Read, Write}, "description": "0 hidden, 1 readable, 2 writable"}
		case t == reflect.TypeFor[Kind]():
			return map[string]any{"enum": []Kind{KindDir, KindFile, KindSymlink, KindOther, KindAbsent}}
		case t == reflect.TypeFor[Hold]():
			return map[string]any{"enum": []Hold{HoldNone, HoldDir, HoldFile, HoldLink, HoldQuarantine, HoldReport}}
		}
		return nil
	})
	return schema.Document(top, "caisson resolved policy", "A policy made absolute for one host: what Prepare is asked a plan for.")
}
