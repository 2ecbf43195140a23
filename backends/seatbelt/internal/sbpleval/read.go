// SPDX-License-Identifier: Apache-2.0

// Package sbpleval reads Seatbelt profiles and says what they allow.
//
// It is the oracle of the tests of backends/seatbelt and shares no code with
// what prints profiles. It is a model: the laws by which it decides (decide.go)
// come from what others measured on macOS, and where they disagree it decides
// under every reading. What it judges is MODELLED, and was never compared with
// a real kernel by its authors.
//
// The parts: a reader (read.go), an interpreter that refuses whatever it does
// not know (interpret.go), the tree of operations (operations.go), filters
// (filter.go), decisions (decide.go), and a small world of files in which
// system calls become operations (world.go, lower.go).
package sbpleval

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// nodeKind is what a node of the text is.
type nodeKind uint8

const (
	symbolNode nodeKind = iota
	stringNode
	regexNode
	numberNode
	boolNode
	listNode
)

// node is one expression of the text.
type node struct {
	kind nodeKind
	text string
	list []node
	at   int // offset in bytes
}

// reader reads text.
type reader struct {
	text string
	at   int
}

// read reads all expressions of a profile.
func read(text string) ([]node, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the profile is not UTF-8 text")
	}
	r := &reader{text: text}
	var list []node
	for {
		if err := r.skip(); err != nil {
			return nil, err
		}
		if r.at == len(r.text) {
			return list, nil
		}
		n, err := r.node(0)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
}

func (r *reader) fail(at int, format string, args ...any) error {
	return fmt.Errorf("offset %d: %s", at, fmt.Sprintf(format, args...))
}

// skip passes white space and comments.
func (r *reader) skip() error {
	for r.at < len(r.text) {
		switch rest := r.text[r.at:]; {
		case strings.ContainsRune(" \t\r\n", rune(rest[0])):
			r.at++
		case rest[0] == ';':
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			r.at += end
		case strings.HasPrefix(rest, "#|"):
			end := strings.Index(rest, "|#")
			if end < 0 {
				return r.fail(r.at, "a comment has no end")
			}
			r.at += end + 2
		default:
			return nil
		}
	}
	return nil
}

const maxDepth = 64

func (r *reader) node(depth int) (node, error) {
	start := r.at
	if depth > maxDepth {
		return node{}, r.fail(start, "nested too deeply")
	}
	switch rest := r.text[r.at:]; {
	case rest[0] == '(':
		r.at++
		n := node{kind: listNode, at: start}
		for {
			if err := r.skip(); err != nil {
				return node{}, err
			}
			if r.at == len(r.text) {
				return node{}, r.fail(start, "a list has no end")
			}
			if r.text[r.at] == ')' {
				r.at++
				return n, nil
			}
			in, err := r.node(depth + 1)
			if err != nil {
				return node{}, err
			}
			n.list = append(n.list, in)
		}
	case rest[0] == ')':
		return node{}, r.fail(start, "a list ends that did not begin")
	case rest[0] == '"':
		return r.str(start)
	case strings.HasPrefix(rest, `#"`):
		end := strings.IndexByte(rest[2:], '"')
		if end < 0 {
			return node{}, r.fail(start, "a pattern has no end")
		}
		r.at += 2 + end + 1
		return node{kind: regexNode, text: rest[2 : 2+end], at: start}, nil
	case rest == "'":
		return node{}, r.fail(start, "a quote has nothing to quote")
	case rest[0] == '\'':
		r.at++
		if err := r.skip(); err != nil || r.at == len(r.text) {
			return node{}, r.fail(start, "a quote has nothing to quote")
		}
		in, err := r.node(depth + 1)
		return node{kind: listNode, list: []node{{kind: symbolNode, text: "quote", at: start}, in}, at: start}, err
	}
	return r.atom(start)
}

// str reads a string. Only the escapes on which all versions of the reader
// agree are known.
func (r *reader) str(start int) (node, error) {
	var b strings.Builder
	for i := start + 1; i < len(r.text); i++ {
		switch c := r.text[i]; c {
		case '"':
			r.at = i + 1
			return node{kind: stringNode, text: b.String(), at: start}, nil
		case '\\':
			i++
			if i == len(r.text) || r.text[i] != '\\' && r.text[i] != '"' {
				return node{}, r.fail(i-1, "an escape that is read differently by different versions")
			}
			b.WriteByte(r.text[i])
		case '\n', '\r', 0:
			return node{}, r.fail(i, "a control character in a string")
		default:
			b.WriteByte(c)
		}
	}
	return node{}, r.fail(start, "a string has no end")
}

func (r *reader) atom(start int) (node, error) {
	end := start
	for end < len(r.text) && !strings.ContainsRune(" \t\r\n()\";'", rune(r.text[end])) {
		end++
	}
	text := r.text[start:end]
	r.at = end
	switch {
	case text == "#t" || text == "#f":
		return node{kind: boolNode, text: text, at: start}, nil
	case strings.HasPrefix(text, "#x") && digits(text[2:], "0123456789abcdefABCDEF"):
		return node{kind: numberNode, text: text, at: start}, nil
	case digits(text, "0123456789"):
		return node{kind: numberNode, text: text, at: start}, nil
	case text == "" || strings.ContainsFunc(text, func(c rune) bool { return c < '!' || c > '~' || c == '#' || c == '|' }):
		return node{}, r.fail(start, "%q is no word", text)
	}
	return node{kind: symbolNode, text: text, at: start}, nil
}

func digits(s, of string) bool { return s != "" && strings.Trim(s, of) == "" }
