// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep messages nest.
const maxDepth = 32

// wellFormed reports what is wrong with a text of JSON, beyond the grammar:
// keys that stand twice, of which readers take one or the other, and halves of
// UTF-16 pairs, which would become another text. A path that is not UTF-8 comes
// as such halves from some languages.
func wellFormed(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8")
	}
	if err := whole(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := value(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the value")
	}
	return nil
}

// value reads one value.
func value(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return errors.New("it nests too deep")
	}
	keys := map[string]bool{}
	for d.More() {
		if open == '{' {
			t, err := d.Token()
			if err != nil {
				return err
			}
			key, _ := t.(string) // the decoder lets nothing else be a key
			if keys[key] {
				return fmt.Errorf("the key %q stands twice", key)
			}
			keys[key] = true
		}
		if err := value(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// whole looks for escapes of half a UTF-16 pair.
func whole(text []byte) error {
	unit := func(at int) (int64, bool) {
		if at+6 > len(text) || text[at] != '\\' || text[at+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseInt(string(text[at+2:at+6]), 16, 32)
		return n, err == nil
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		n, ok := unit(i)
		switch {
		case !ok:
			i++ // what is escaped
		case n >= 0xd800 && n < 0xdc00:
			if low, ok := unit(i + 6); !ok || low < 0xdc00 || low > 0xdfff {
				return errors.New("half of a UTF-16 pair is no text")
			}
			i += 11
		case n >= 0xdc00 && n <= 0xdfff:
			return errors.New("half of a UTF-16 pair is no text")
		}
	}
	return nil
}

// decode reads an object that is well formed: keys are spelt as they are
// written, others are refused, and so is null but for pointers.
func decode(text []byte, into any) error {
	if len(text) == 0 {
		text = []byte("{}")
	}
	if err := spelt(text, reflect.TypeOf(into).Elem(), ""); err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%q is of another kind", wrong.Field)
		}
		return err
	}
	return nil
}

// spelt compares the keys of a value with the fields of its type. The decoder of
// the standard library takes Argv for argv, and null for anything.
func spelt(text json.RawMessage, t reflect.Type, at string) error {
	null := bytes.Equal(bytes.TrimSpace(text), []byte("null"))
	if t.Kind() == reflect.Pointer {
		if null {
			return nil
		}
		t = t.Elem()
	}
	if t == reflect.TypeFor[json.RawMessage]() {
		return nil
	}
	if null {
		return fmt.Errorf("%q is null", at)
	}
	switch t.Kind() {
	case reflect.Struct:
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			if at == "" {
				return errors.New("it is no object")
			}
			return fmt.Errorf("%q is no object", at)
		}
		for key, inner := range object {
			field, ok := fieldOf(t, key)
			if !ok {
				return fmt.Errorf("the key %q is not known", join(at, key))
			}
			if err := spelt(inner, field, join(at, key)); err != nil {
				return err
			}
		}
	case reflect.Slice:
		var list []json.RawMessage
		if t.Elem().Kind() == reflect.Uint8 || json.Unmarshal(text, &list) != nil {
			return nil // what is wrong with it is found when it is read
		}
		for i, inner := range list {
			if err := spelt(inner, t.Elem(), join(at, strconv.Itoa(i))); err != nil {
				return err
			}
		}
	}
	return nil
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// fieldOf finds the type of the field that a key names, in embedded structs too.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if found, ok := fieldOf(f.Type, key); ok {
				return found, true
			}
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == key {
			return f.Type, true
		}
	}
	return nil, false
}
