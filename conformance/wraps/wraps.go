// SPDX-License-Identifier: Apache-2.0

// Package wraps holds what the conformance suite knows of foreign sandbox
// tools: a small file for each, which says how hidden and protected paths and
// limits become arguments of the tool, and what the tool promises. See
// docs/conformance/README.md for the form of a file.
package wraps

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

//go:embed *.toml
var files embed.FS

// file is the form of a wrap file.
type file struct {
	Version int      `toml:"version"`
	Name    string   `toml:"name"`
	Line    []any    `toml:"line"`
	Tool    []string `toml:"tool-version"`
	Claims  []string `toml:"claims"`
	Notes   string   `toml:"notes"`
}

// Names returns the names of the wraps that come with caisson.
func Names() []string {
	entries, _ := fs.ReadDir(files, ".")
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

// Named returns a wrap that comes with caisson.
func Named(name string) (conformance.Wrap, error) {
	if !slices.Contains(Names(), name) {
		return conformance.Wrap{}, fmt.Errorf("no wrap is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	data, err := files.ReadFile(name + ".toml")
	if err != nil {
		return conformance.Wrap{}, err
	}
	return Decode(name+".toml", data)
}

// Decode reads a wrap file. Every error names the file, and where it can be
// told the line.
func Decode(name string, data []byte) (conformance.Wrap, error) {
	var f file
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return conformance.Wrap{}, located(name, err)
	}
	bad := func(key, format string, args ...any) (conformance.Wrap, error) {
		return conformance.Wrap{}, fmt.Errorf("%s: %s: %s", name, key, fmt.Sprintf(format, args...))
	}
	if f.Version != 1 {
		return bad("version", "it must be 1")
	}
	if f.Name == "" {
		return bad("name", "it is missing")
	}
	w := conformance.Wrap{Name: f.Name, Version: f.Tool, Notes: strings.TrimSpace(f.Notes)}
	for i, one := range f.Line {
		group, ok := words(one)
		if !ok {
			return bad("line", "entry %d is neither a word nor a list of words", i+1)
		}
		w.Line = append(w.Line, group)
	}
	if f.Claims == nil {
		w.Claims = conformance.DefaultClaims()
	}
	for _, id := range f.Claims {
		if !guarantee.Known(guarantee.ID(id)) {
			return bad("claims", "no guarantee is called %q", id)
		}
		w.Claims = append(w.Claims, guarantee.ID(id))
	}
	if err := w.Check(); err != nil {
		return conformance.Wrap{}, fmt.Errorf("%s: line: %w", name, err)
	}
	return w, nil
}

// words reads one entry of a line: a word, or a group of words.
func words(one any) ([]string, bool) {
	switch v := one.(type) {
	case string:
		return []string{v}, true
	case []any:
		var group []string
		for _, word := range v {
			s, ok := word.(string)
			if !ok {
				return nil, false
			}
			group = append(group, s)
		}
		return group, len(group) > 0
	}
	return nil, false
}

// located says where in a file an error is.
func located(name string, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		e := unknown.Errors[0]
		row, column := e.Position()
		return fmt.Errorf("%s:%d:%d: no key is called %q", name, row, column, strings.Join(e.Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, column := bad.Position()
		return fmt.Errorf("%s:%d:%d: %w", name, row, column, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
