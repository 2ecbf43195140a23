// SPDX-License-Identifier: Apache-2.0

package sbpleval

import (
	"fmt"
	"strings"
)

// Vector is a small profile and what was measured under it. The file
// testdata/vectors.txt says how they are written.
type Vector struct {
	Name  string
	rules string
	Rows  []VectorRow
}

// VectorRow is an act, with $D for the directory of the test, and its verdict.
type VectorRow struct {
	Act         string
	Allow       bool
	FlatDiffers bool // the flat reading gives the other verdict
}

// Profile is the whole profile of a vector for a directory.
func (v Vector) Profile(dir string) string {
	return "(version 1)\n(allow default)\n" + strings.ReplaceAll(v.rules, "$D", dir)
}

// ParseVectors reads vectors.
func ParseVectors(text string) ([]Vector, error) {
	var list []Vector
	for n, line := range strings.Split(text, "\n") {
		refuse := func(why string) ([]Vector, error) { return nil, fmt.Errorf("line %d: %s: %q", n+1, why, line) }
		name, isVector := strings.CutPrefix(line, "vector ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case isVector:
			list = append(list, Vector{Name: name})
			continue
		case len(list) == 0:
			return refuse("no vector was named")
		}
		v := &list[len(list)-1]
		if strings.HasPrefix(line, "(") {
			v.rules += line + "\n"
			continue
		}
		words := strings.Fields(line)
		row := VectorRow{}
		if other, ok := strings.CutPrefix(words[len(words)-1], "flat="); ok {
			words = words[:len(words)-1]
			row.FlatDiffers = true
			if other == words[len(words)-1] {
				return refuse("the readings do not differ")
			}
		}
		switch words[len(words)-1] {
		case "allow":
			row.Allow = true
		case "deny":
		default:
			return refuse("neither allow nor deny")
		}
		row.Act = strings.Join(words[:len(words)-1], " ")
		v.Rows = append(v.Rows, row)
	}
	for _, v := range list {
		if v.rules == "" || len(v.Rows) == 0 {
			return nil, fmt.Errorf("the vector %q has no rules or no rows", v.Name)
		}
	}
	return list, nil
}
