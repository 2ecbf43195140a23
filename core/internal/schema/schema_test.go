// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/internal/schema"
)

type inner struct {
	Port uint16 `json:"port"`
}

type outer struct {
	Name    string            `json:"name"`
	On      bool              `json:"on,omitempty"`
	Size    int64             `json:"size"`
	Wait    time.Duration     `json:"wait"`
	List    []inner           `json:"list"`
	Maybe   *inner            `json:"maybe"`
	By      map[string]string `json:"by"`
	Any     json.RawMessage   `json:"any"`
	Untold  int
	Skipped int `json:"-"`
}

func TestOf(t *testing.T) {
	t.Parallel()
	const port = `{"type": "object", "additionalProperties": false, "properties": {"port": {"type": "integer", "minimum": 0}}}`
	want := `{"type": "object", "additionalProperties": false, "properties": {
		"name": {"type": "string"}, "on": {"type": "boolean"}, "size": {"type": "integer"}, "wait": {"type": "string"},
		"list": {"type": "array", "items": ` + port + `}, "maybe": {"anyOf": [{"type": "null"}, ` + port + `]},
		"by": {"type": "object", "additionalProperties": {"type": "string"}}, "any": {}}}`
	same(t, schema.Of(reflect.TypeFor[outer](), nil), want)
}

// TestSpecial: a description by hand takes the place of a type's own, by its
// dotted key, and names the keys of a map.
func TestSpecial(t *testing.T) {
	t.Parallel()
	type id string
	type holder struct {
		Outer struct {
			Kind []string  `json:"kind"`
			Of   map[id]id `json:"of"`
		} `json:"outer"`
		Kind string `json:"kind"`
	}
	got := schema.Of(reflect.TypeFor[holder](), func(t reflect.Type, key string) map[string]any {
		switch {
		case key == "outer.kind" && t.Kind() == reflect.String:
			return map[string]any{"enum": []string{"a", "b"}}
		case t == reflect.TypeFor[id]():
			return map[string]any{"pattern": "^i"}
		}
		return nil
	})
	same(t, got, `{"type": "object", "additionalProperties": false, "properties": {
		"outer": {"type": "object", "additionalProperties": false, "properties": {
			"kind": {"type": "array", "items": {"enum": ["a", "b"]}},
			"of": {"type": "object", "additionalProperties": {"pattern": "^i"}, "propertyNames": {"pattern": "^i"}}}},
		"kind": {"type": "string"}}}`)
}

func TestOfPanicsForWhatJSONNeverHolds(t *testing.T) {
	t.Parallel()
	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, "chan int") {
			t.Errorf("panic %q", said)
		}
	}()
	schema.Of(reflect.TypeFor[struct {
		C chan int `json:"c"`
	}](), nil)
}

func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := schema.Document(schema.Of(reflect.TypeFor[inner](), nil), "a title", "what it is", "port")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "additionalProperties": false,
  "description": "what it is",
  "properties": {
    "port": {
      "minimum": 0,
      "type": "integer"
    }
  },
  "required": [
    "port"
  ],
  "title": "a title",
  "type": "object"
}
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}

// same compares a schema with a JSON text, whatever the order of keys.
func same(t *testing.T, got map[string]any, want string) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Error(diff)
	}
}
