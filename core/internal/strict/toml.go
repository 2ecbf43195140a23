// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// TOML reads a TOML file. The parser gives expressions with their places; that
// no key and no table is defined twice is seen to here. The name stands for the
// file in messages; errors have the given code.
func TOML(name string, data []byte, code diag.Code) (*Node, error) {
	src, err := open(name, data, code)
	if err != nil {
		return nil, err
	}
	t := &tomlReader{src: src, top: src.node(Map, 0), depth: 1, made: map[*Node]tableOrigin{}, keys: map[*Node]map[string]*Node{}}
	t.made[t.top] = byHeader
	t.parser.Reset(data)
	table := t.top
	for t.parser.NextExpression() {
		e := t.parser.Expression()
		var err error
		if e.Kind == unstable.KeyValue {
			err = t.keyValue(table, e, t.depth)
		} else {
			table, err = t.header(e)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := t.parser.Error(); err != nil {
		return nil, t.syntax(err)
	}
	return t.top, nil
}

// tableOrigin says how a table came to be, which decides what may still be
// added to it.
type tableOrigin uint8

const (
	byImplication tableOrigin = iota // a.b of the header [a.b.c]
	byHeader                         // [a]
	byDots                           // a of the key a.b = 1
	byValue                          // a = {…} or a = […]: closed
)

type tomlReader struct {
	parser unstable.Parser
	src    *source
	top    *Node
	depth  int // of the table that the last header entered; the top is 1
	made   map[*Node]tableOrigin
	keys   map[*Node]map[string]*Node
}

// syntax gives an error of the parser its place.
func (t *tomlReader) syntax(err error) error {
	var perr *unstable.ParserError
	if !errors.As(err, &perr) {
		return t.src.whole(err.Error())
	}
	// The highlight is a part of the data, which its capacity locates.
	data := t.src.data
	offset := min(max(cap(data)-cap(perr.Highlight), 0), len(data))
	return t.src.refuseAt(offset, perr.Message, "")
}

// header enters the table that [a.b] or [[a.b]] names.
func (t *tomlReader) header(e *unstable.Node) (*Node, error) {
	table := t.top
	t.depth = 1
	for keys := e.Key(); keys.Next(); {
		k := keys.Node()
		last := keys.IsLast()
		if t.depth += 2; t.depth > MaxDepth { // a table, and perhaps the array it is in
			return nil, t.refuse(table, k, "tables are nested too deeply")
		}
		if bytes.IndexByte(k.Data, 0) >= 0 {
			return nil, t.refuse(table, k, "a NUL character")
		}
		next := t.keys[table][string(k.Data)]
		if last && e.Kind == unstable.ArrayTable {
			return t.element(table, next, k)
		}
		switch {
		case next == nil:
			next = t.add(table, k, Map)
			t.made[next] = byImplication
			if last {
				t.made[next] = byHeader
			}
		case next.Kind == List && !last && t.made[next] == byHeader:
			next = next.List[len(next.List)-1]
		case next.Kind != Map || t.made[next] == byValue:
			return nil, t.refuse(table, k, "already has a value")
		case last && t.made[next] != byImplication:
			return nil, t.refuse(table, k, "duplicate table")
		case last:
			t.made[next] = byHeader
		}
		table = next
	}
	return table, nil
}

// element adds a table to the array that [[key]] names, and the array if this
// is its first.
func (t *tomlReader) element(table, array *Node, k *unstable.Node) (*Node, error) {
	if array == nil {
		array = t.add(table, k, List)
		t.made[array] = byHeader
	}
	if array.Kind != List || t.made[array] != byHeader {
		return nil, t.refuse(table, k, "already has a value")
	}
	n := t.src.node(Map, int(k.Raw.Offset))
	n.parent = array
	t.made[n] = byHeader
	array.List = append(array.List, n)
	return n, nil
}

// keyValue reads a.b = value into a table.
func (t *tomlReader) keyValue(table *Node, e *unstable.Node, depth int) error {
	keys := e.Key()
	for keys.Next() {
		k := keys.Node()
		if depth++; depth > MaxDepth {
			return t.refuse(table, k, "values are nested too deeply")
		}
		if bytes.IndexByte(k.Data, 0) >= 0 {
			return t.refuse(table, k, "a NUL character")
		}
		next := t.keys[table][string(k.Data)]
		if keys.IsLast() {
			if next != nil {
				return t.refuse(table, k, "duplicate key")
			}
			n := t.add(table, k, Map)
			return t.value(n, e.Value(), depth)
		}
		switch {
		case next == nil:
			next = t.add(table, k, Map)
			t.made[next] = byDots
		case next.Kind != Map || t.made[next] != byDots:
			return t.refuse(table, k, "is defined elsewhere already")
		}
		table = next
	}
	return nil
}

// value fills n, which stands at its key, from v. Arrays have no place of
// their own and keep the key's.
func (t *tomlReader) value(n *Node, v *unstable.Node, depth int) error {
	if v.Raw.Length > 0 {
		n.Line, n.Column = t.src.place(int(v.Raw.Offset))
	}
	if depth > MaxDepth {
		return n.Refuse("values are nested too deeply", "")
	}
	switch v.Kind {
	case unstable.String:
		n.Kind, n.Text = String, string(v.Data)
		if strings.ContainsRune(n.Text, 0) {
			return n.Refuse("a NUL character", "")
		}
	case unstable.Bool:
		n.Kind, n.Bool = Bool, v.Data[0] == 't'
	case unstable.Integer:
		i, err := strconv.ParseInt(string(v.Data), 0, 64)
		if err != nil {
			return n.Refuse("the number is too large", "")
		}
		n.Kind, n.Text = Int, strconv.FormatInt(i, 10)
	case unstable.Float:
		f, err := strconv.ParseFloat(strings.ReplaceAll(string(v.Data), "_", ""), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return n.Refuse("the number is not finite", "")
		}
		n.Kind, n.Text = Float, strconv.FormatFloat(f, 'e', -1, 64)
	case unstable.LocalDate, unstable.LocalTime, unstable.LocalDateTime, unstable.DateTime:
		n.Kind, n.Text = Time, string(v.Data)
	case unstable.Array:
		n.Kind = List
		t.made[n] = byValue
		for items := v.Children(); items.Next(); {
			item := &Node{Line: n.Line, Column: n.Column, src: t.src, parent: n}
			n.List = append(n.List, item)
			if err := t.value(item, items.Node(), depth+1); err != nil {
				return err
			}
		}
	case unstable.InlineTable:
		n.Kind = Map
		for members := v.Children(); members.Next(); {
			if err := t.keyValue(n, members.Node(), depth); err != nil {
				return err
			}
		}
		t.close(n)
	}
	return nil
}

// close forbids additions to an inline table and to what dots made inside it.
func (t *tomlReader) close(n *Node) {
	t.made[n] = byValue
	for _, m := range n.Members {
		if m.Value.Kind == Map && t.made[m.Value] != byValue {
			t.close(m.Value)
		}
	}
}

func (t *tomlReader) add(table *Node, k *unstable.Node, kind Kind) *Node {
	n := t.src.node(kind, int(k.Raw.Offset))
	key := string(k.Data)
	n.parent, n.key = table, key
	table.Members = append(table.Members, Member{Key: key, Line: n.Line, Column: n.Column, Value: n})
	if t.keys[table] == nil {
		t.keys[table] = map[string]*Node{}
	}
	t.keys[table][key] = n
	return n
}

func (t *tomlReader) refuse(table *Node, k *unstable.Node, message string) error {
	n := t.src.node(Map, int(k.Raw.Offset))
	n.parent, n.key = table, string(k.Data)
	return n.Refuse(message, "")
}
