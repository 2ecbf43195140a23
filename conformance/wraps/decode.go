// SPDX-License-Identifier: Apache-2.0

package wraps

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// maxFile is the size in bytes above which a file is not read as a wrap file.
const maxFile = 64 << 10

// keys returns the keys of a wrap file, in the order of the documentation.
func keys() []string {
	return []string{"version", "name", "tool-version", "line", "claims", "notes"}
}

// Decode reads a wrap file. The name stands for the file in errors, each of
// which says the line, the column and the key that it is about.
func Decode(name string, data []byte) (conformance.Wrap, error) {
	r := reader{name: name, data: data, seen: map[string]int{}}
	if err := r.read(); err != nil {
		return conformance.Wrap{}, err
	}
	return r.wrap, nil
}

// reader reads one file. Values are checked as they come. Places are offsets in
// the data; seen has that of each key that was met.
type reader struct {
	name string
	data []byte
	seen map[string]int
	wrap conformance.Wrap
}

func (r *reader) read() error {
	if len(r.data) > maxFile {
		return fmt.Errorf("%s: the file is larger than %d KiB, which no wrap file is", r.name, maxFile>>10)
	}
	if !utf8.Valid(r.data) {
		return fmt.Errorf("%s: the file is not UTF-8", r.name)
	}
	var p unstable.Parser
	p.Reset(r.data)
	for p.NextExpression() {
		if err := r.expression(p.Expression()); err != nil {
			return err
		}
	}
	if err := p.Error(); err != nil {
		return r.syntax(err)
	}
	for _, key := range []string{"version", "name", "line"} {
		if _, ok := r.seen[key]; !ok {
			return fmt.Errorf("%s: %s: it is missing", r.name, key)
		}
	}
	if _, ok := r.seen["claims"]; !ok {
		r.wrap.Claims = conformance.DefaultClaims()
	}
	return nil
}

// expression reads one line of the file's top level.
func (r *reader) expression(e *unstable.Node) error {
	path := e.Key()
	path.Next()
	k := path.Node()
	at, key := place(k, 0), string(k.Data)
	if e.Kind != unstable.KeyValue || !path.IsLast() {
		return r.refuse(at, key, "a wrap file has no tables")
	}
	if !slices.Contains(keys(), key) {
		return r.refuse(at, key, "there is no such key; there are %s", strings.Join(keys(), ", "))
	}
	if first, ok := r.seen[key]; ok {
		line, _ := r.position(first)
		return r.refuse(at, key, "it is already there, in line %d", line)
	}
	r.seen[key] = at
	return r.value(key, at, e.Value())
}

// value takes the value of a key.
func (r *reader) value(key string, at int, v *unstable.Node) (err error) {
	switch key {
	case "version":
		if v.Kind != unstable.Integer || string(v.Data) != "1" {
			return r.refuse(at, key, "it must be 1, the one form that there is")
		}
	case "name":
		r.wrap.Name, err = r.text(key, at, v)
		if err == nil && r.wrap.Name == "" {
			return r.refuse(at, key, "it is empty")
		}
	case "notes":
		r.wrap.Notes, err = r.text(key, at, v)
		r.wrap.Notes = strings.TrimSpace(r.wrap.Notes)
	case "tool-version":
		r.wrap.Version, err = r.words(key, at, v)
	case "line":
		return r.line(key, at, v)
	case "claims":
		return r.claims(key, at, v)
	}
	return err
}

// line takes the command line: words, and groups of words.
func (r *reader) line(key string, at int, v *unstable.Node) error {
	if v.Kind != unstable.Array {
		return r.refuse(at, key, "it must be a list of words and of lists of words")
	}
	for items := v.Children(); items.Next(); {
		item := items.Node()
		group := []string{""}
		var err error
		if item.Kind == unstable.Array {
			group, err = r.words(key, at, item)
		} else {
			group[0], err = r.text(key, at, item)
		}
		if err != nil {
			return err
		}
		at = place(item, at)
		if len(group) == 0 {
			return r.refuse(at, key, "a group of words is empty")
		}
		if err := (conformance.Wrap{Name: r.name, Line: [][]string{group}}).Check(); err != nil {
			return r.refuse(at, key, "%s", strings.TrimPrefix(err.Error(), "wrap "+r.name+": "))
		}
		r.wrap.Line = append(r.wrap.Line, group)
	}
	if len(r.wrap.Line) == 0 || r.wrap.Line[0][0] == "" {
		return r.refuse(at, key, "the tool is not named")
	}
	return nil
}

// claims takes the ids of guarantees.
func (r *reader) claims(key string, at int, v *unstable.Node) error {
	if v.Kind != unstable.Array {
		return r.refuse(at, key, "it must be a list of guarantees")
	}
	r.wrap.Claims = []guarantee.ID{}
	for items := v.Children(); items.Next(); {
		word, err := r.text(key, at, items.Node())
		if err != nil {
			return err
		}
		at = place(items.Node(), at)
		id := guarantee.ID(word)
		switch {
		case !guarantee.Known(id):
			return r.refuse(at, key, "no guarantee is called %q", word)
		case slices.Contains(r.wrap.Claims, id):
			return r.refuse(at, key, "%s is claimed twice", word)
		}
		r.wrap.Claims = append(r.wrap.Claims, id)
	}
	return nil
}

// words takes a list of words.
func (r *reader) words(key string, at int, v *unstable.Node) ([]string, error) {
	if v.Kind != unstable.Array {
		return nil, r.refuse(at, key, "it must be a list of words")
	}
	var words []string
	for items := v.Children(); items.Next(); {
		word, err := r.text(key, at, items.Node())
		if err != nil {
			return nil, err
		}
		at = place(items.Node(), at)
		words = append(words, word)
	}
	return words, nil
}

// text takes one string that a program can be given as an argument.
func (r *reader) text(key string, at int, v *unstable.Node) (string, error) {
	at = place(v, at)
	if v.Kind != unstable.String {
		return "", r.refuse(at, key, "it must be text in quotes, not %s", strings.ToLower(v.Kind.String()))
	}
	if bytes.IndexByte(v.Data, 0) >= 0 {
		return "", r.refuse(at, key, "a NUL character, which no argument can hold")
	}
	return string(v.Data), nil
}

// place is where a node begins. Lists have no place of their own: theirs is that
// of their first word, or what came before.
func place(n *unstable.Node, before int) int {
	if n.Kind == unstable.Array {
		if items := n.Children(); items.Next() {
			n = items.Node()
		}
	}
	if n.Raw.Length == 0 {
		return before
	}
	return int(n.Raw.Offset)
}

// position is the line and the column, in bytes, of a place.
func (r *reader) position(at int) (line, column int) {
	before := r.data[:at]
	return 1 + bytes.Count(before, []byte("\n")), at - bytes.LastIndexByte(before, '\n')
}

func (r *reader) refuse(at int, key, format string, args ...any) error {
	line, column := r.position(at)
	return fmt.Errorf("%s:%d:%d: %s: %s", r.name, line, column, key, fmt.Sprintf(format, args...))
}

// syntax gives an error of the parser its place.
func (r *reader) syntax(err error) error {
	var bad *unstable.ParserError
	if !errors.As(err, &bad) {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	// The highlight is a part of the data, which its capacity locates.
	line, column := r.position(min(max(cap(r.data)-cap(bad.Highlight), 0), len(r.data)))
	return fmt.Errorf("%s:%d:%d: this is no TOML: %s", r.name, line, column, bad.Message)
}
