// SPDX-License-Identifier: Apache-2.0

// Package wraps holds what the conformance suite knows of foreign sandbox
// tools: a small file for each, which says how hidden and protected paths and
// limits become arguments of the tool, and what the tool promises. See
// docs/conformance/README.md for the form of a file.
package wraps

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance"
)

//go:embed *.toml
var files embed.FS

// Names returns the names of the wraps that come with caisson, in order.
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
