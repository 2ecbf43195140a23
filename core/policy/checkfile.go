// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// LayerOf tells from its name which layer a policy file is for: a project's file
// by ProjectFile, the system's by its place; any other is the user's.
func LayerOf(file string) LayerKind {
	if filepath.Base(file) == ProjectFile {
		return LayerProject
	}
	if path, err := filepath.Abs(file); err == nil && path == systemFile() {
		return LayerSystem
	}
	return LayerUser
}

// CheckFile reads a policy file as the layer kind would be read. The error is
// what stands in the way wherever it is used; the notes are what else a run may
// refuse, since it depends on trust, on other layers or on flags.
func CheckFile(name string, data []byte, kind LayerKind) ([]diag.Diagnostic, error) {
	l := layer{kind: kind, file: name}
	p, err := decodeLayer(name, data, l)
	if err != nil {
		return nil, err
	}
	l = p.layers[0]
	var notes []diag.Diagnostic
	note := func(m mark, code diag.Code, message, remedy string) {
		notes = append(notes, *diag.New(code, l.origin(m).place()+": "+m.setting+": "+message, remedy))
	}
	for _, m := range l.said {
		if err := l.mayHold(m); err != nil {
			return nil, err
		}
		s, _ := settingNamed(m.setting)
		if kind == LayerProject && (s.project == loosens || s.project == compared && looser(Policy{}, m.setting, m.value)) {
			note(m, diag.PolicyUntrusted, "this loosens the standard policy: a run refuses it until the file is trusted",
				"read it, then run: caisson policy trust "+diag.Quote(name))
		}
		switch {
		case m.setting == "workspace" && slices.Contains([]string{"/", "~", "~/"}, m.value):
			note(m, diag.WorkspaceInvalid, fmt.Sprintf("a run refuses %s as a workspace, but with --workspace-anyway", diag.Quote(m.value)), "name the project's directory")
		}
	}
	return notes, nil
}

// mayHold refuses a setting that a file of this layer cannot set.
func (l layer) mayHold(m mark) error {
	s, _ := settingNamed(m.setting)
	switch {
	case l.kind == LayerProject && s.project == never:
		return diag.New(diag.PolicyInvalid,
			fmt.Sprintf("%s: %s: a project file cannot set this, trusted or not", l.origin(m).place(), m.setting), neverRemedy(m.setting))
	case l.kind == LayerUser && m.setting == "final":
		return diag.New(diag.PolicyInvalid, l.origin(m).place()+": final: only the system policy can pin settings", "")
	}
	return nil
}
