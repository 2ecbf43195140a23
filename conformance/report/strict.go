// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// source is the text of a report that is read.
type source struct {
	name string
	data []byte
}

// refuse makes an error that names the file and the place of an offset; a
// negative offset is no place. The text quotes the file, so it is made visible.
func (s source) refuse(offset int64, format string, args ...any) error {
	place := ""
	if offset >= 0 {
		before := s.data[:min(offset, int64(len(s.data)))]
		line := 1 + bytes.Count(before, []byte("\n"))
		column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
		place = fmt.Sprintf(":%d:%d", line, column)
	}
	return errors.New(Visible(s.name + place + ": " + fmt.Sprintf(format, args...)))
}

// explain says where an error of package json is.
func (s source) explain(err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return s.refuse(max(syntax.Offset-1, 0), "%v", err)
	case errors.As(err, &mismatch):
		key := mismatch.Field
		if key == "" {
			key = "the report"
		}
		return s.refuse(max(mismatch.Offset-1, 0), "%s cannot be a %s", key, mismatch.Value)
	}
	return s.refuse(-1, "%v", err)
}

// keys compares the keys of the text with those of Report, letter by letter:
// package json takes SCHEMA for schema, and the last of two.
func (s source) keys() error {
	if !utf8.Valid(s.data) {
		return s.refuse(-1, "the text is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(s.data))
	d.UseNumber()
	return s.walk(d, reflect.TypeFor[Report](), "the report")
}

// walk reads one value that is to become a t. A value of another kind is left
// to package json to refuse.
func (s source) walk(d *json.Decoder, t reflect.Type, where string) error {
	token, err := d.Token()
	if err != nil {
		return s.explain(err)
	}
	start := max(d.InputOffset()-1, 0)
	switch token {
	case nil:
		return s.refuse(start, "%s is null", where)
	case json.Delim('['):
		var item reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			item = t.Elem()
		}
		for n := 0; d.More(); n++ {
			if err := s.walk(d, item, fmt.Sprintf("%s[%d]", where, n)); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case json.Delim('{'):
		err = s.object(d, t, where, start)
	}
	return err
}

func (s source) object(d *json.Decoder, t reflect.Type, where string, start int64) error {
	table := t != nil && t.Kind() == reflect.Map
	known, needed := fields(t)
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return s.explain(err)
		}
		key, _ := token.(string)
		at := max(d.InputOffset()-int64(len(key))-2, 0)
		value, ok := known[key]
		if table {
			value, ok = t.Elem(), true
		}
		switch {
		case seen[key]:
			return s.refuse(at, "%s has the key %q twice", where, key)
		case !ok && known != nil:
			return s.refuse(at, "%s has the unknown key %q", where, key)
		}
		seen[key] = true
		if err := s.walk(d, value, strings.TrimPrefix(where+"."+key, "the report.")); err != nil {
			return err
		}
	}
	for _, key := range needed {
		if !seen[key] {
			return s.refuse(start, "%s lacks the key %q", where, key)
		}
	}
	_, err := d.Token()
	return err
}

// fields returns the keys of a struct with their types, and those that must be
// there; nil for other types.
func fields(t reflect.Type) (known map[string]reflect.Type, needed []string) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, nil
	}
	known = map[string]reflect.Type{}
	for f := range t.Fields() {
		options := strings.Split(f.Tag.Get("json"), ",")
		known[options[0]] = f.Type
		if !slices.Contains(options[1:], "omitempty") {
			needed = append(needed, options[0])
		}
	}
	return known, needed
}
