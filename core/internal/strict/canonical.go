// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Canonical writes v as JSON in its one form: struct fields in their order,
// map keys sorted, no space, no newline at the end, nothing escaped that need
// not be. It writes what Decode reads: durations as text, nil slices and maps
// as empty ones, nil pointers as null. A type with MarshalJSON writes itself.
// Text that is not UTF-8 or holds a NUL is an error, because no file could
// give it back.
func Canonical(v any) ([]byte, error) {
	return appendValue(nil, reflect.ValueOf(v))
}

func appendValue(b []byte, v reflect.Value) ([]byte, error) {
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return append(b, "null"...), nil
	}
	switch x := v.Interface().(type) {
	case *Node:
		return appendNode(b, x), nil
	case time.Duration:
		return appendText(b, x.String())
	case json.Marshaler:
		return appendMarshaled(b, x)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return appendValue(b, v.Elem())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case reflect.String:
		return appendText(b, v.String())
	case reflect.Slice:
		return appendList(b, v)
	case reflect.Map:
		return appendMap(b, v)
	case reflect.Struct:
		return appendStruct(b, v)
	}
	switch {
	case v.CanInt():
		return strconv.AppendInt(b, v.Int(), 10), nil
	case v.CanUint():
		return strconv.AppendUint(b, v.Uint(), 10), nil
	}
	return nil, fmt.Errorf("strict: cannot encode %s", v.Type())
}

func appendMarshaled(b []byte, m json.Marshaler) ([]byte, error) {
	data, err := m.MarshalJSON()
	if err != nil {
		return nil, err
	}
	n, err := JSON("value", data, diag.PlanInvalid)
	if err != nil {
		return nil, fmt.Errorf("strict: %T: %w", m, err)
	}
	return appendNode(b, n), nil
}

func appendList(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendMap(b []byte, v reflect.Value) ([]byte, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("strict: cannot encode %s", v.Type())
	}
	values := map[string]reflect.Value{}
	for k, item := range v.Seq2() {
		values[k.String()] = item
	}
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendText(b, k); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), values[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendStruct(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '{')
	first := true
	for _, f := range Fields(v.Type()) {
		item := v.Field(f.Index)
		if omitted(f, item) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		var err error
		if b, err = appendText(b, f.Name); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), item); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// omitted reports whether a field is left out. Beyond what encoding/json does,
// omitzero leaves out a struct of which nothing would be written, so that an
// empty list in it makes no difference.
func omitted(f Field, v reflect.Value) bool {
	if f.OmitZero {
		if v.IsZero() {
			return true
		}
		if v.Kind() == reflect.Struct {
			fields := Fields(v.Type())
			return len(fields) > 0 && !slices.ContainsFunc(fields, func(f Field) bool { return !omitted(f, v.Field(f.Index)) })
		}
	}
	return f.OmitEmpty && isEmpty(v)
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false // as in encoding/json
	}
	return v.IsZero()
}

// appendNode writes a value that was read, members in the order of the file.
func appendNode(b []byte, n *Node) []byte {
	switch n.Kind {
	case Null:
		return append(b, "null"...)
	case Bool:
		return strconv.AppendBool(b, n.Bool)
	case Int, Float:
		return append(b, n.Text...)
	case List:
		b = append(b, '[')
		for i, item := range n.List {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendNode(b, item)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, m := range n.Members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, m.Key), ':')
			b = appendNode(b, m.Value)
		}
		return append(b, '}')
	}
	return appendQuoted(b, n.Text)
}

func appendText(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, fmt.Errorf("text %q is not valid UTF-8 without NUL", s)
	}
	return appendQuoted(b, s), nil
}

// appendQuoted writes s, which is valid UTF-8 without NUL, as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
