// SPDX-License-Identifier: Apache-2.0

package spawn

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Block gives the environment block of variables NAME=VALUE: sorted without
// case, each ended by a NUL, with another NUL at the end. Of names that differ
// only in case the last one stands. Names that begin with "=" are the system's
// own, the current directories of drives, and are allowed.
func Block(vars []string) ([]uint16, error) {
	last := map[string]string{}
	for _, v := range vars {
		at := strings.IndexByte(v[min(len(v), 1):], '=')
		if v == "" || at < 0 || strings.ContainsRune(v, 0) {
			return nil, fmt.Errorf("environment variable %q is not NAME=VALUE", v)
		}
		last[strings.ToUpper(v[:at+1])] = v
	}
	names := make([]string, 0, len(last))
	for n := range last {
		names = append(names, n)
	}
	slices.Sort(names)
	var block []uint16
	for _, n := range names {
		block = append(append(block, utf16.Encode([]rune(last[n]))...), 0)
	}
	if len(block) == 0 {
		block = append(block, 0)
	}
	return append(block, 0), nil
}

// Lookup returns the value of a variable, without case.
func Lookup(vars []string, name string) string {
	for _, v := range slices.Backward(vars) {
		if k, value, ok := strings.Cut(v, "="); ok && strings.EqualFold(k, name) {
			return value
		}
	}
	return ""
}

// Overlay takes the named variables from over, and all others from vars. What
// over lacks is in neither: it would name something of somebody else.
func Overlay(vars, over []string, names ...string) []string {
	named := func(v string) bool {
		k, _, _ := strings.Cut(v, "=")
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, k) })
	}
	out := slices.DeleteFunc(slices.Clone(vars), named)
	for _, v := range over {
		if named(v) {
			out = append(out, v)
		}
	}
	return out
}
