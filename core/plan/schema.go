// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"reflect"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/internal/schema"
)

// Schema returns the JSON Schema (2020-12) of plans, for authors of backends in
// other languages. Decode is stricter: it also checks values and their order.
// What a plan for Windows has in the place of steps is not described: it is for
// the built-in backends.
func Schema() ([]byte, error) {
	list := make([]any, 0, len(steps()))
	for _, s := range steps() {
		one := schema.Of(reflect.TypeOf(s), nil)
		one["properties"].(map[string]any)["step"] = map[string]any{"const": s.Name()}
		one["required"] = []string{"step"}
		list = append(list, one)
	}
	top := schema.Of(reflect.TypeFor[Plan](), func(t reflect.Type, key string) map[string]any {
		switch {
		case key == "format":
			return map[string]any{"const": Format}
		case key == "steps":
			return map[string]any{"type": "array", "items": map[string]any{"oneOf": list}}
		case t == reflect.TypeFor[guarantee.ID]():
			return map[string]any{"enum": ids()}
		case t == reflect.TypeFor[guarantee.By]():
			return map[string]any{"enum": []string{string(guarantee.ByKernel), string(guarantee.ByAccount), string(guarantee.ByLaunch), string(guarantee.ByVM)}}
		}
		return nil
	})
	return schema.Document(top, "caisson plan", "How a sandbox is made: what a backend answers. Plans for Windows, which have another form, are not described.", "format", "backend", "os", "arch", "claims", "steps")
}

func ids() []string {
	var list []string
	for _, i := range guarantee.All() {
		list = append(list, string(i.ID))
	}
	return list
}
