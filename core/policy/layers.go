// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Load reads and merges the layers: built-in standard, system file, user file,
// project files, flags. Errors are refusals that name the file and the place;
// the diagnostics are notes.
func (s Sources) Load() (Policy, []diag.Diagnostic, error) {
	p, err := s.system()
	if err != nil {
		return Policy{}, nil, err
	}
	user, err := s.user()
	if err != nil {
		return Policy{}, nil, err
	}
	p = mergeLayers(p, user, false)
	flags := s.Flags.marked()
	roots := s.roots(mergeLayers(p, flags, false))
	var notes []diag.Diagnostic
	if s.PolicyFile == "" {
		files, err := s.projectFiles(roots)
		if err != nil {
			return Policy{}, nil, err
		}
		if !s.ProjectFiles && len(files) > 0 {
			notes = append(notes, *diag.New(diag.ProjectIgnored, diag.Quote(files[0])+" was not read, as asked", ""))
			files = nil
		}
		if p, err = s.addProjects(p, files, roots); err != nil {
			return Policy{}, nil, err
		}
	}
	p = mergeFlags(p, flags)
	if err := p.check(); err != nil {
		return Policy{}, nil, err
	}
	return p, notes, nil
}

// UnderSystem puts the administrator's policy below a program's own. It does
// nothing to a policy that has it already.
func (s Sources) UnderSystem(p Policy) (Policy, error) {
	for _, l := range p.layers {
		if l.kind == LayerSystem {
			return p, p.check()
		}
	}
	low, err := s.system()
	if err != nil {
		return Policy{}, err
	}
	p = mergeFlags(low, p.marked())
	return p, p.check()
}

// mergeFlags merges the highest layer. What it says of the workspace replaces
// what files say, but for what a trusted project added.
func mergeFlags(low, flags Policy) Policy {
	out := mergeLayers(low, flags, false)
	if len(flags.Workspace) == 0 {
		return out
	}
	var added []string
	for _, l := range low.layers {
		for _, m := range l.said {
			if l.kind == LayerProject && m.setting == "workspace" {
				added = append(added, m.value)
			}
		}
	}
	out.Workspace = union(out.Workspace, added)
	return out
}

// marked records what a program put into the fields of p as its own layer.
func (p Policy) marked() Policy {
	for _, s := range settings() {
		for _, e := range p.entries(s.name) {
			if e.Origin.File == originProgram {
				p.mark(mark{setting: s.name, value: e.Value, flag: originProgram})
			}
		}
	}
	return p
}

// system reads the administrator's file. Where others could have written it,
// its word is worth nothing and its absence too, so nothing is started.
func (s Sources) system() (Policy, error) {
	base := Policy{Version: Version}
	if s.SystemFile == "" {
		return base, nil
	}
	if _, err := os.Lstat(s.SystemFile); errors.Is(err, fs.ErrNotExist) {
		return base, nil
	}
	check := s.vouch
	if check == nil {
		check = vouch
	}
	if err := check(s.SystemFile); err != nil {
		return base, diag.New(diag.PolicyInvalid,
			fmt.Sprintf("the system policy %s could have been written by others: %v", diag.Quote(s.SystemFile), err),
			"make the file and the directories above it writable by the administrator alone")
	}
	data, err := ReadFile(s.SystemFile, nil)
	if err != nil {
		return base, err
	}
	return decodeLayer(s.SystemFile, data, layer{kind: LayerSystem, file: s.SystemFile})
}

// user reads the user's file, or the file that stands in for it.
func (s Sources) user() (Policy, error) {
	path := s.UserFile
	l := layer{kind: LayerUser, file: path}
	switch {
	case s.PolicyFile == "-":
		path = "-"
		l.file, l.dir = "standard input", hereDir
	case s.PolicyFile != "":
		path = s.absolute(s.PolicyFile)
		l.file = s.PolicyFile
	case path == "":
		return Policy{}, nil
	default:
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return Policy{}, nil
		}
	}
	data, err := ReadFile(path, s.Stdin)
	if err != nil {
		return Policy{}, err
	}
	p, err := decodeLayer(l.file, data, l)
	if s.PolicyFile != "" && path != "-" {
		p.read = []string{path}
	}
	if err != nil {
		return p, err
	}
	for _, m := range p.layers[0].said {
		if err := l.mayHold(m); err != nil {
			return p, err
		}
	}
	return p, nil
}

// absolute makes a path that was typed absolute.
func (s Sources) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Dir, path)
}
