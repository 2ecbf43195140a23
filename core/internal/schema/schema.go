// SPDX-License-Identifier: Apache-2.0

// Package schema describes the JSON forms of Go types as JSON Schema (2020-12),
// for authors who read or write them in other languages. It says what the
// strict decoder accepts as far as a schema can: every key, no other one, and
// the types.
package schema

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// Special describes a type that a key holds by hand; nil means that its fields
// say enough. Key is the dotted key from the top, without list indices.
type Special func(t reflect.Type, key string) map[string]any

// Of describes a type. It panics for what JSON of ours never holds.
func Of(t reflect.Type, special Special) map[string]any { return of(t, "", special) }

func of(t reflect.Type, key string, special Special) map[string]any {
	if special != nil {
		if s := special(t, key); s != nil {
			return s
		}
	}
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case t == reflect.TypeFor[time.Duration]():
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return map[string]any{"anyOf": []any{map[string]any{"type": "null"}, of(t.Elem(), key, special)}}
	case reflect.Struct:
		properties := map[string]any{}
		for _, f := range strict.Fields(t) {
			if f.Name == "-" { // no part of the JSON form
				continue
			}
			below := f.Name
			if key != "" {
				below = key + "." + f.Name
			}
			properties[f.Name] = of(t.Field(f.Index).Type, below, special)
		}
		return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": of(t.Elem(), key, special)}
	case reflect.Map:
		m := map[string]any{"type": "object", "additionalProperties": of(t.Elem(), key, special)}
		if special != nil {
			if names := special(t.Key(), key); names != nil {
				m["propertyNames"] = names
			}
		}
		return m
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	}
	panic("schema: cannot describe " + t.String())
}

// Document writes a schema as a document, indented, with a newline.
func Document(top map[string]any, title, description string, required ...string) ([]byte, error) {
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"], top["description"] = title, description
	if len(required) > 0 {
		top["required"] = required
	}
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
