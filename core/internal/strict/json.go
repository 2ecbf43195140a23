// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// JSON reads one JSON value (RFC 8259), with no comments, no duplicate keys
// and nothing after it. The name stands for the file in messages; errors have
// the given code.
func JSON(name string, data []byte, code diag.Code) (*Node, error) {
	src, err := open(name, data, code)
	if err != nil {
		return nil, err
	}
	s := &jsonScanner{src: src, data: data}
	s.space()
	n, err := s.value(1, nil, "")
	if err != nil {
		return nil, err
	}
	s.space()
	if s.pos < len(data) {
		return nil, s.unexpected("after the value")
	}
	return n, nil
}

type jsonScanner struct {
	src  *source
	data []byte
	pos  int
}

func (s *jsonScanner) space() {
	for s.pos < len(s.data) && strings.IndexByte(" \t\r\n", s.data[s.pos]) >= 0 {
		s.pos++
	}
}

func (s *jsonScanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0 // open refused NUL, so this is the end
}

func (s *jsonScanner) unexpected(where string) error {
	if s.pos >= len(s.data) {
		return s.src.refuseAt(len(s.data), "the file ends too early", "")
	}
	r, _ := utf8.DecodeRune(s.data[s.pos:])
	return s.src.refuseAt(s.pos, fmt.Sprintf("unexpected %q %s", r, where), "")
}

// node starts the value at the current position, which is the value of key in
// parent, or an item of it.
func (s *jsonScanner) node(kind Kind, parent *Node, key string) *Node {
	n := s.src.node(kind, s.pos)
	n.parent, n.key = parent, key
	return n
}

func (s *jsonScanner) value(depth int, parent *Node, key string) (*Node, error) {
	if depth > MaxDepth {
		return nil, s.src.refuseAt(s.pos, "values are nested too deeply", "")
	}
	start := s.pos
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth, s.node(Map, parent, key))
	case c == '[':
		return s.list(depth, s.node(List, parent, key))
	case c == '"':
		n := s.node(String, parent, key)
		text, err := s.text()
		n.Text = text
		return n, err
	case c == '-' || c >= '0' && c <= '9':
		return s.number(s.node(Int, parent, key))
	case c >= 'a' && c <= 'z':
		n := s.node(Null, parent, key)
		for c := s.peek(); c >= 'a' && c <= 'z'; c = s.peek() {
			s.pos++
		}
		switch word := string(s.data[start:s.pos]); word {
		case "true", "false":
			n.Kind, n.Bool = Bool, word == "true"
			return n, nil
		case "null":
			return n, nil
		}
		if s.pos == len(s.data) {
			return nil, s.unexpected("")
		}
		s.pos = start
	}
	return nil, s.unexpected("where a value belongs")
}

func (s *jsonScanner) object(depth int, n *Node) (*Node, error) {
	seen := map[string]bool{}
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		return n, nil
	}
	for {
		line, column := s.src.place(s.pos)
		if s.peek() != '"' {
			return nil, s.unexpected("where a quoted key belongs")
		}
		key, err := s.text()
		if err != nil {
			return nil, err
		}
		if seen[key] {
			dup := &Node{Line: line, Column: column, src: s.src, parent: n, key: key}
			return nil, dup.Refuse("duplicate key", "")
		}
		seen[key] = true
		s.space()
		if s.peek() != ':' {
			return nil, s.unexpected("after a key, where ':' belongs")
		}
		s.pos++
		s.space()
		v, err := s.value(depth+1, n, key)
		if err != nil {
			return nil, err
		}
		n.Members = append(n.Members, Member{Key: key, Line: line, Column: column, Value: v})
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case '}':
			s.pos++
			return n, nil
		default:
			return nil, s.unexpected("where ',' or '}' belongs")
		}
	}
}

func (s *jsonScanner) list(depth int, n *Node) (*Node, error) {
	s.pos++
	s.space()
	if s.peek() == ']' {
		s.pos++
		return n, nil
	}
	for {
		v, err := s.value(depth+1, n, "")
		if err != nil {
			return nil, err
		}
		n.List = append(n.List, v)
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case ']':
			s.pos++
			return n, nil
		default:
			return nil, s.unexpected("where ',' or ']' belongs")
		}
	}
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *jsonScanner) number(n *Node) (*Node, error) {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return nil, s.unexpected("in a number")
	}
	if s.peek() == '.' {
		n.Kind = Float
		s.pos++
		if !s.digits() {
			return nil, s.unexpected("in a number")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		n.Kind = Float
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return nil, s.unexpected("in a number")
		}
	}
	n.Text = string(s.data[start:s.pos])
	return n, nil
}

func (s *jsonScanner) digits() bool {
	start := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start
}

// text reads a quoted string. A \u0000 is refused like a NUL byte: no path and
// no variable can hold one.
func (s *jsonScanner) text() (string, error) {
	var b strings.Builder
	s.pos++
	for {
		start := s.pos
		for s.pos < len(s.data) && s.data[s.pos] != '"' && s.data[s.pos] != '\\' && s.data[s.pos] >= 0x20 {
			s.pos++
		}
		b.Write(s.data[start:s.pos])
		switch s.peek() {
		case '"':
			s.pos++
			return b.String(), nil
		case '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		default:
			return "", s.unexpected("in a string")
		}
	}
}

func (s *jsonScanner) escape() (rune, error) {
	start := s.pos
	s.pos++
	c := s.peek()
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 && c != 0 {
		s.pos++
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, s.unexpected("after a backslash")
	}
	r, ok := s.hex4()
	if ok && utf16.IsSurrogate(r) {
		low := rune(0)
		if s.peek() == '\\' && s.pos+1 < len(s.data) && s.data[s.pos+1] == 'u' {
			s.pos++
			low, ok = s.hex4()
		}
		r = utf16.DecodeRune(r, low)
		ok = ok && r != utf8.RuneError
	}
	if !ok || r == 0 {
		return 0, s.src.refuseAt(start, "invalid \\u escape", "")
	}
	return r, nil
}

// hex4 reads the four digits after the 'u' at the current position.
func (s *jsonScanner) hex4() (rune, bool) {
	s.pos++
	if s.pos+4 > len(s.data) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(s.data[s.pos:s.pos+4]), 16, 16)
	s.pos += 4
	return rune(v), err == nil
}
