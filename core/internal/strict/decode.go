// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Unmarshaler is implemented by types that read a node by themselves, usually
// with a pointer receiver. Its errors should come from Node.Refuse.
type Unmarshaler interface {
	UnmarshalNode(*Node) error
}

// Decode puts the value n into what into points to: booleans, integers of any
// size, strings, structs by their json tags, slices, maps with string keys,
// pointers, time.Duration (written "10m"), json.RawMessage and Unmarshalers.
// Every key must be known, every type must fit, and null fits pointers only.
// What the file does not name keeps its value; an empty list or table becomes
// nil. A type that cannot be decoded
// is a mistake of the program and panics.
func Decode(n *Node, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic("strict: Decode needs a pointer")
	}
	return decode(n, v.Elem())
}

func decode(n *Node, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		if n.Kind == Null {
			v.SetZero()
			return nil
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return decode(n, v.Elem())
	}
	switch into := v.Addr().Interface().(type) {
	case Unmarshaler:
		return into.UnmarshalNode(n)
	case *json.RawMessage:
		*into = appendNode(nil, n)
		return nil
	case *time.Duration:
		return duration(n, into)
	}
	switch v.Kind() {
	case reflect.Bool:
		if n.Kind != Bool {
			return n.wrongType(v.Type())
		}
		v.SetBool(n.Bool)
	case reflect.String:
		if n.Kind != String {
			return n.wrongType(v.Type())
		}
		v.SetString(n.Text)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integer(n, v)
	case reflect.Slice:
		return list(n, v)
	case reflect.Map:
		return mapping(n, v)
	case reflect.Struct:
		return structure(n, v)
	default:
		panic(fmt.Sprintf("strict: cannot decode into %s", v.Type()))
	}
	return nil
}

func integer(n *Node, v reflect.Value) error {
	if n.Kind != Int {
		return n.wrongType(v.Type())
	}
	if v.CanInt() {
		i, err := strconv.ParseInt(n.Text, 10, 64)
		if err != nil || v.OverflowInt(i) {
			return n.outOfRange(v.Type())
		}
		v.SetInt(i)
		return nil
	}
	u, err := strconv.ParseUint(n.Text, 10, 64)
	if err != nil || v.OverflowUint(u) {
		return n.outOfRange(v.Type())
	}
	v.SetUint(u)
	return nil
}

func (n *Node) outOfRange(t reflect.Type) error {
	if t.Kind() >= reflect.Uint {
		return n.Refuse(fmt.Sprintf("must be from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits())), "")
	}
	limit := int64(math.MaxInt64) >> (64 - t.Bits())
	return n.Refuse(fmt.Sprintf("must be from %d to %d", -limit-1, limit), "")
}

func duration(n *Node, into *time.Duration) error {
	if n.Kind != String {
		return n.wrongType(reflect.TypeFor[time.Duration]())
	}
	d, err := time.ParseDuration(n.Text)
	if err != nil {
		return n.Refuse(fmt.Sprintf("invalid duration %q", n.Text), `write it like "90s", "10m" or "1h30m"`)
	}
	*into = d
	return nil
}

func list(n *Node, v reflect.Value) error {
	if n.Kind != List {
		return n.wrongType(v.Type())
	}
	if len(n.List) == 0 {
		v.SetZero()
		return nil
	}
	out := reflect.MakeSlice(v.Type(), len(n.List), len(n.List))
	for i, item := range n.List {
		if err := decode(item, out.Index(i)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func mapping(n *Node, v reflect.Value) error {
	if n.Kind != Map {
		return n.wrongType(v.Type())
	}
	if len(n.Members) == 0 {
		v.SetZero()
		return nil
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Members))
	for _, m := range n.Members {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := decode(m.Value, item); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(m.Key).Convert(v.Type().Key()), item)
	}
	v.Set(out)
	return nil
}

func structure(n *Node, v reflect.Value) error {
	if n.Kind != Map {
		return n.wrongType(v.Type())
	}
	fields := Fields(v.Type())
	for _, m := range n.Members {
		i := 0
		for i < len(fields) && fields[i].Name != m.Key {
			i++
		}
		if i == len(fields) {
			return n.unknown(m, fields)
		}
		if err := decode(m.Value, v.Field(fields[i].Index)); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) unknown(m Member, fields []Field) error {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	where := ""
	if above := n.Key(); above != "" {
		where = " in [" + above + "]"
	}
	return m.Value.src.refuse(m.Line, m.Column, fmt.Sprintf("unknown key %q%s", m.Key, where), DidYouMean(m.Key, names))
}

func (n *Node) wrongType(want reflect.Type) error {
	return n.Refuse(fmt.Sprintf("must be %s, not %s", typeWords(want, false), n.Kind), "")
}

// typeWords names a type as the reader of a file would.
func typeWords(t reflect.Type, plural bool) string {
	words := func(one, many string) string {
		if plural {
			return many
		}
		return one
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return words(`a duration like "10m"`, `durations like "10m"`)
	case t.Kind() == reflect.Bool:
		return words("true or false", "booleans")
	case t.Kind() == reflect.String:
		return words("a string", "strings")
	case t.Kind() == reflect.Slice:
		return words("a list of ", "lists of ") + typeWords(t.Elem(), true)
	case t.Kind() == reflect.Map:
		return words("a table of ", "tables of ") + typeWords(t.Elem(), true)
	case t.Kind() == reflect.Struct:
		return words("a table", "tables")
	case t.Kind() == reflect.Pointer:
		return typeWords(t.Elem(), plural)
	}
	return words("an integer", "integers")
}

// Field is one field of a struct that files can name.
type Field struct {
	Name      string // in the file
	Index     int    // for reflect.Value.Field
	OmitEmpty bool
	OmitZero  bool
}

// Fields lists the fields of a struct type that have a json tag, in order. A
// field without a tag is not read: no name of a file is ever guessed.
func Fields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("json")
		if tag == "" || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		fields = append(fields, Field{
			Name:      name,
			Index:     i,
			OmitEmpty: strings.Contains(options, "omitempty"),
			OmitZero:  strings.Contains(options, "omitzero"),
		})
	}
	return fields
}
