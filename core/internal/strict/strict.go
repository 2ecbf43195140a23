// SPDX-License-Identifier: Apache-2.0

// Package strict reads JSON and TOML so that nothing in a file is overlooked.
//
// Both are read into one tree of Nodes that know their line and column. One
// walker, Decode, puts a tree into Go values by their json tags; unknown keys,
// wrong types, duplicates and trailing data are errors that name the file, the
// place, the key and the nearest known one. Canonical writes a value as JSON
// that reads back as the same value, byte for byte the same each time.
//
// Every error for a user is a *diag.Diagnostic with the code that the caller
// of JSON or TOML chose.
package strict

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// The bounds of what is read.
const (
	MaxSize  = 1 << 20 // bytes of a file
	MaxDepth = 64      // values inside values
)

// Kind is the kind of a value in a file.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota // JSON only
	Bool
	Int
	Float
	Time // TOML only: a date or time that is not quoted
	String
	List
	Map
)

// String names the kind with its article, as messages do.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Int:
		return "an integer"
	case Float:
		return "a fraction"
	case Time:
		return "a date or time"
	case String:
		return "a string"
	case List:
		return "a list"
	case Map:
		return "a table"
	}
	return "invalid"
}

// Node is one value of a file and where it stands. Nodes are made by JSON and
// TOML and are read only.
type Node struct {
	Kind    Kind
	Line    int      // from 1
	Column  int      // from 1, in characters
	Text    string   // of a String; the digits of an Int or Float
	Bool    bool     // of a Bool
	List    []*Node  // of a List
	Members []Member // of a Map, in the order of the file

	src    *source
	parent *Node
	key    string // in the parent, where that is a Map
}

// Member is one key of a Map with its value. Line and Column are the key's.
type Member struct {
	Key    string
	Line   int
	Column int
	Value  *Node
}

// Member returns the value of a key of a Map, or nil.
func (n *Node) Member(key string) *Node {
	for _, m := range n.Members {
		if m.Key == key {
			return m.Value
		}
	}
	return nil
}

// Without returns the Map n without one key, for types that read that key by
// themselves and leave the others to Decode.
func (n *Node) Without(key string) *Node {
	c := *n
	c.Members = nil
	for _, m := range n.Members {
		if m.Key != key {
			c.Members = append(c.Members, m)
		}
	}
	return &c
}

// Key returns the dotted key of n from the top of the file, such as
// "files.write"; it is empty for the top itself.
func (n *Node) Key() string {
	if n.parent == nil {
		return ""
	}
	above := n.parent.Key()
	if n.parent.Kind == List {
		return above
	}
	key := n.key
	if !bareKey(key) {
		key = strconv.Quote(key)
	}
	if above == "" {
		return key
	}
	return above + "." + key
}

// Refuse returns the diagnostic that n is wrong, with the file, the place and
// the key in front of the message.
func (n *Node) Refuse(message, remedy string) *diag.Diagnostic {
	if key := n.Key(); key != "" {
		message = key + ": " + message
	}
	return n.at(message, remedy)
}

func (n *Node) at(message, remedy string) *diag.Diagnostic {
	return n.src.refuse(n.Line, n.Column, message, remedy)
}

// source is the file that nodes belong to, with a cursor that turns offsets
// into places. Asked for rising offsets it reads the file once.
type source struct {
	name string
	code diag.Code
	data []byte

	offset, line, column int
}

// open checks what can be wrong with a file as a whole.
func open(name string, data []byte, code diag.Code) (*source, error) {
	s := &source{name: name, code: code, data: data, line: 1, column: 1}
	if len(data) > MaxSize {
		return nil, s.whole("is larger than 1 MiB")
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, s.whole("is empty")
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return nil, s.refuseAt(i, "invalid UTF-8", "write the file as UTF-8")
		}
		if r == 0 {
			return nil, s.refuseAt(i, "a NUL byte", "is this a text file?")
		}
		i += size
	}
	return s, nil
}

// place returns the line and column of an offset.
func (s *source) place(offset int) (line, column int) {
	if offset < s.offset {
		s.offset, s.line, s.column = 0, 1, 1
	}
	for s.offset < offset {
		r, size := utf8.DecodeRune(s.data[s.offset:])
		s.offset += size
		s.column++
		if r == '\n' {
			s.line++
			s.column = 1
		}
	}
	return s.line, s.column
}

func (s *source) node(kind Kind, offset int) *Node {
	n := &Node{Kind: kind, src: s}
	n.Line, n.Column = s.place(offset)
	return n
}

func (s *source) whole(what string) *diag.Diagnostic {
	return diag.New(s.code, fmt.Sprintf("%s: %s", displayName(s.name), what), "")
}

func (s *source) refuse(line, column int, message, remedy string) *diag.Diagnostic {
	return diag.New(s.code, fmt.Sprintf("%s:%d:%d: %s", displayName(s.name), line, column, message), remedy)
}

func (s *source) refuseAt(offset int, message, remedy string) *diag.Diagnostic {
	line, column := s.place(offset)
	return s.refuse(line, column, message, remedy)
}

// displayName keeps the name of a file from driving the terminal it is
// printed on, and leaves ordinary names, spaces included, as they are.
func displayName(name string) string {
	for _, r := range name {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			return strconv.Quote(name)
		}
	}
	return name
}

// bareKey reports whether a key needs no quotes in TOML.
func bareKey(key string) bool {
	for _, c := range []byte(key) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return key != ""
}
