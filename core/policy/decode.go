// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// Decode reads a policy file: JSON if its first character is '{', else TOML.
// The name stands for the file in messages and origins. Nothing is guessed:
// every mistake is a *diag.Diagnostic that names file, line, column and key.
//
// The policy is what the file says and no more, as a user's file; Sources.Load
// merges it with the other layers.
func Decode(name string, data []byte) (Policy, error) {
	return decodeLayer(name, data, layer{kind: LayerUser, file: name})
}

// decodeLayer reads the file of one layer. The record of what it said goes
// into l, which says what kind of layer it is.
func decodeLayer(name string, data []byte, l layer) (Policy, error) {
	read := strict.TOML
	if text := bytes.TrimLeft(data, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		read = strict.JSON
	}
	top, err := read(name, data, diag.PolicyInvalid)
	if err != nil {
		return Policy{}, err
	}
	if err := checkVersion(top); err != nil {
		return Policy{}, err
	}
	var p Policy
	if err := strict.Decode(top, &p); err != nil {
		return Policy{}, err
	}
	for _, s := range settings() {
		if err := l.record(&p, s, top); err != nil {
			return Policy{}, err
		}
	}
	p.layers = []layer{l}
	return p, nil
}

// checkVersion comes before all else: the keys of another version mean nothing
// here.
func checkVersion(top *strict.Node) error {
	n := top.Member("version")
	switch {
	case top.Kind != strict.Map:
		return top.Refuse("a policy must be a table", "")
	case n == nil:
		return top.Refuse("version is missing", "begin the file with: version = 1")
	case n.Kind != strict.Int:
		return n.Refuse("must be an integer, not "+n.Kind.String(), "")
	case n.Text != strconv.Itoa(Version) && strings.HasPrefix(n.Text, "-") || n.Text == "0":
		return n.Refuse(fmt.Sprintf("there is no version %s", n.Text), "this caisson reads version 1")
	case n.Text != strconv.Itoa(Version):
		return n.Refuse(fmt.Sprintf("version %s is newer than this caisson, which reads version %d", n.Text, Version), "upgrade caisson")
	}
	return nil
}

// record notes and checks what the tree says of one setting.
func (l *layer) record(p *Policy, s setting, top *strict.Node) error {
	n := top
	for key := range strings.SplitSeq(s.name, ".") {
		if n = n.Member(key); n == nil {
			return nil
		}
	}
	note := func(n *strict.Node, line, column int, value string) error {
		if message, remedy := checkValue(s, value); message != "" {
			return n.Refuse(message, remedy)
		}
		l.said = append(l.said, mark{setting: s.name, value: value, line: line, column: column})
		return nil
	}
	switch s.shape {
	case many:
		for _, item := range n.List {
			if err := note(item, item.Line, item.Column, item.Text); err != nil {
				return err
			}
		}
	case pairs:
		for _, m := range n.Members {
			if err := note(m.Value, m.Line, m.Column, m.Key+"="+m.Value.Text); err != nil {
				return err
			}
		}
	default:
		value := n.Text
		if v := p.values(s.name); len(v) > 0 {
			value = v[0] // in the one form, however it was written
		}
		return note(n, n.Line, n.Column, value)
	}
	return nil
}

// UnmarshalNode reads limits as files have them: time as "10m", memory as
// "4GiB" or in bytes. A limit of zero is refused, since it could be read as
// none or as nothing at all.
func (l *Limits) UnmarshalNode(n *strict.Node) error {
	var in struct {
		Time      time.Duration `json:"time"`
		Memory    byteSize      `json:"memory"`
		Processes int           `json:"processes"`
	}
	if err := strict.Decode(n, &in); err != nil {
		return err
	}
	for key, value := range map[string]int64{"time": int64(in.Time), "memory": int64(in.Memory), "processes": int64(in.Processes)} {
		if m := n.Member(key); m != nil && value <= 0 {
			return m.Refuse("must be more than 0", "leave it out for no limit")
		}
	}
	*l = Limits{Time: in.Time, Memory: int64(in.Memory), Processes: in.Processes}
	return nil
}

// byteSize is a number of bytes, written as a number or as "512MiB".
type byteSize int64

// UnmarshalNode reads a size.
func (b *byteSize) UnmarshalNode(n *strict.Node) error {
	if n.Kind != strict.String && n.Kind != strict.Int {
		return n.Refuse(`must be a size like "4GiB" or a number of bytes, not `+n.Kind.String(), "")
	}
	size, err := parseSize(n.Text)
	if err != nil {
		return n.Refuse(err.Error(), sizeForm)
	}
	*b = byteSize(size)
	return nil
}

// parseSize reads a whole number of bytes with an optional unit of KiB, MiB,
// GiB or TiB.
func parseSize(text string) (int64, error) {
	digits, unit := text, int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if cut, ok := strings.CutSuffix(text, suffix); ok {
			digits, unit = cut, int64(1)<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || digits[0] == '+' || n > math.MaxInt64/unit || n < 0 {
		return 0, fmt.Errorf("invalid size %q", text)
	}
	return n * unit, nil
}
