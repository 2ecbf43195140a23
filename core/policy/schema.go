// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// Schema returns the JSON Schema (2020-12) of policy files, for editors and for
// programs that write policies. It says what Decode accepts as far as a schema
// can; Decode is stricter.
func Schema() ([]byte, error) {
	top := schemaOf(reflect.TypeFor[Policy](), "")
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "caisson policy"
	top["required"] = []string{"version"}
	data, err := strict.Canonical(top)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// schemaOf describes the type that a key holds.
func schemaOf(t reflect.Type, key string) map[string]any {
	schema := map[string]any{}
	if s, ok := settingNamed(key); ok {
		schema["description"] = s.about
	}
	switch {
	case key == "version":
		schema["const"] = Version
	case key == "limits.memory":
		schema["anyOf"] = []any{
			map[string]any{"type": "integer", "minimum": 1},
			map[string]any{"type": "string", "pattern": `^[0-9]+([KMGT]iB)?$`},
		}
	case t == reflect.TypeFor[time.Duration]():
		schema["type"] = "string"
		schema["pattern"] = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	case t.Kind() == reflect.Struct:
		schema["type"] = "object"
		schema["additionalProperties"] = false
		properties := map[string]any{}
		for _, f := range strict.Fields(t) {
			name := f.Name
			if key != "" {
				name = key + "." + name
			}
			properties[f.Name] = schemaOf(t.Field(f.Index).Type, name)
		}
		schema["properties"] = properties
	case t.Kind() == reflect.Slice:
		schema["type"] = "array"
		schema["items"] = itemSchema(t.Elem(), key)
	case t.Kind() == reflect.Map:
		schema["type"] = "object"
		schema["additionalProperties"] = map[string]any{"type": "string"}
	case t.Kind() == reflect.Int:
		schema["type"] = "integer"
		schema["minimum"] = 1
	default:
		schema["type"] = "string"
		if known := words(key); known != nil {
			schema["enum"] = known
			schema["default"] = known[0]
		}
	}
	return schema
}

// itemSchema describes the items of a list.
func itemSchema(t reflect.Type, key string) map[string]any {
	switch {
	case t.Kind() == reflect.Int:
		return map[string]any{"type": "integer", "minimum": 1, "maximum": 65535}
	case t == reflect.TypeFor[guarantee.ID]():
		var ids []string
		for _, i := range guarantee.All() {
			ids = append(ids, string(i.ID))
		}
		return map[string]any{"enum": ids}
	case key == "final":
		var names []string
		for _, s := range settings() {
			if s.name != "final" {
				names = append(names, s.name)
			}
		}
		return map[string]any{"enum": names}
	}
	return map[string]any{"type": "string", "minLength": 1}
}
