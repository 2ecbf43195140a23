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
// which says the line and the key that it is about.
func Decode(name string, data []byte) (conformance.Wrap, error) {
	r := reader{name: name, data: data, lines: map[string]int{}}
	if err := r.read(); err != nil {
		return conformance.Wrap{}, err
	}
	return r.wrap, nil
}

// reader reads one file. Values are checked as they come; lines remembers where
// each key stood.
type reader struct {
	name  string
	data  []byte
	lines map[string]int
	wrap  conformance.Wrap
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
		if r.lines[key] == 0 {
			return fmt.Errorf("%s: %s: it is missing", r.name, key)
		}
	}
	if r.lines["claims"] == 0 {
		r.wrap.Claims = conformance.DefaultClaims()
	}
	return nil
}

// expression reads one line of the file's top level.
func (r *reader) expression(e *unstable.Node) error {
	path := e.Key()
	path.Next()
	k := path.Node()
	line, key := r.lineOf(k, 1), string(k.Data)
	if e.Kind != unstable.KeyValue || !path.IsLast() {
		return r.at(line, key, "a wrap file has no tables")
	}
	if !slices.Contains(keys(), key) {
		return r.at(line, key, "there is no such key; there are %s", strings.Join(keys(), ", "))
	}
	if r.lines[key] != 0 {
		return r.at(line, key, "it is already there, in line %d", r.lines[key])
	}
	r.lines[key] = line
	return r.value(key, line, e.Value())
}

// value takes the value of a key.
func (r *reader) value(key string, line int, v *unstable.Node) (err error) {
	switch key {
	case "version":
		if v.Kind != unstable.Integer || string(v.Data) != "1" {
			return r.at(line, key, "it must be 1, the one form that there is")
		}
	case "name":
		r.wrap.Name, err = r.text(key, line, v)
		if err == nil && r.wrap.Name == "" {
			return r.at(line, key, "it is empty")
		}
	case "notes":
		r.wrap.Notes, err = r.text(key, line, v)
		r.wrap.Notes = strings.TrimSpace(r.wrap.Notes)
	case "tool-version":
		r.wrap.Version, err = r.words(key, line, v)
	case "line":
		return r.line(key, line, v)
	case "claims":
		return r.claims(key, line, v)
	}
	return err
}

// line takes the command line: words, and groups of words.
func (r *reader) line(key string, line int, v *unstable.Node) error {
	if v.Kind != unstable.Array {
		return r.at(line, key, "it must be a list of words and of lists of words")
	}
	for items := v.Children(); items.Next(); {
		item := items.Node()
		group := []string{""}
		var err error
		if item.Kind == unstable.Array {
			group, err = r.words(key, line, item)
		} else {
			group[0], err = r.text(key, line, item)
		}
		if err != nil {
			return err
		}
		line = r.lineOf(item, line)
		if len(group) == 0 {
			return r.at(line, key, "a group of words is empty")
		}
		if err := (conformance.Wrap{Name: r.name, Line: [][]string{group}}).Check(); err != nil {
			return r.at(line, key, "%s", strings.TrimPrefix(err.Error(), "wrap "+r.name+": "))
		}
		r.wrap.Line = append(r.wrap.Line, group)
	}
	if len(r.wrap.Line) == 0 || r.wrap.Line[0][0] == "" {
		return r.at(line, key, "the tool is not named")
	}
	return nil
}

// claims takes the ids of guarantees.
func (r *reader) claims(key string, line int, v *unstable.Node) error {
	if v.Kind != unstable.Array {
		return r.at(line, key, "it must be a list of guarantees")
	}
	r.wrap.Claims = []guarantee.ID{}
	for items := v.Children(); items.Next(); {
		word, err := r.text(key, line, items.Node())
		if err != nil {
			return err
		}
		line = r.lineOf(items.Node(), line)
		id := guarantee.ID(word)
		switch {
		case !guarantee.Known(id):
			return r.at(line, key, "no guarantee is called %q", word)
		case slices.Contains(r.wrap.Claims, id):
			return r.at(line, key, "%s is claimed twice", word)
		}
		r.wrap.Claims = append(r.wrap.Claims, id)
	}
	return nil
}

// words takes a list of words.
func (r *reader) words(key string, line int, v *unstable.Node) ([]string, error) {
	if v.Kind != unstable.Array {
		return nil, r.at(line, key, "it must be a list of words")
	}
	var words []string
	for items := v.Children(); items.Next(); {
		word, err := r.text(key, line, items.Node())
		if err != nil {
			return nil, err
		}
		line = r.lineOf(items.Node(), line)
		words = append(words, word)
	}
	return words, nil
}

// text takes one string that a program can be given as an argument.
func (r *reader) text(key string, line int, v *unstable.Node) (string, error) {
	line = r.lineOf(v, line)
	if v.Kind != unstable.String {
		return "", r.at(line, key, "it must be text in quotes, not %s", strings.ToLower(v.Kind.String()))
	}
	if bytes.IndexByte(v.Data, 0) >= 0 {
		return "", r.at(line, key, "a NUL character, which no argument can hold")
	}
	return string(v.Data), nil
}

// lineOf is the line that a node begins in. Lists have no place of their own:
// theirs is that of their first word, or the line before.
func (r *reader) lineOf(n *unstable.Node, before int) int {
	if n.Kind == unstable.Array {
		if items := n.Children(); items.Next() {
			n = items.Node()
		}
	}
	if n.Raw.Length == 0 {
		return before
	}
	return 1 + bytes.Count(r.data[:n.Raw.Offset], []byte("\n"))
}

func (r *reader) at(line int, key, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s: %s", r.name, line, key, fmt.Sprintf(format, args...))
}

// syntax gives an error of the parser its line.
func (r *reader) syntax(err error) error {
	var bad *unstable.ParserError
	if !errors.As(err, &bad) {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	// The highlight is a part of the data, which its capacity locates.
	offset := min(max(cap(r.data)-cap(bad.Highlight), 0), len(r.data))
	return fmt.Errorf("%s:%d: this is no TOML: %s", r.name, 1+bytes.Count(r.data[:offset], []byte("\n")), bad.Message)
}
