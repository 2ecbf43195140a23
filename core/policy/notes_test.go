// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	p := Standard("/home/me/src/repo/sub")
	p.Files.Hide = []string{"/absent"}
	_, notes, err := p.Resolve(unixHost(with(gitFiles("/home/me/src/repo/.git", ""), map[string]string{"/home/me/src/repo/sub/": ""})))
	if err != nil {
		t.Fatal(err)
	}
	var codes []diag.Code
	for _, n := range notes {
		codes = append(codes, n.Code)
	}
	if !slices.Equal(codes, []diag.Code{diag.WorkspaceSubdir, diag.HideAbsent}) || !strings.Contains(notes[0].Remedy, "-w /home/me/src/repo ") {
		t.Errorf("notes %v", notes)
	}
	for _, c := range []struct {
		kind LayerKind
		hide string
		want diag.Code
	}{
		{LayerUser, "/absent", diag.HideAbsent}, {LayerUser, "~/absent", diag.HideAbsent}, {LayerUser, "absent", diag.PathAbsent},
		{LayerFlag, "absent", diag.HideAbsent}, {LayerSystem, "/absent", diag.PathAbsent}, {LayerProject, "absent", diag.PathAbsent},
	} {
		l := layer{kind: c.kind, file: "p", said: []mark{{setting: "files.hide", value: c.hide}}}
		if c.kind == LayerFlag {
			l.dir = hereDir
		}
		p := Policy{Version: 1, Files: Files{Hide: []string{c.hide}}, layers: []layer{l}}
		if _, notes, err := p.Resolve(unixHost(nil)); err != nil || len(notes) != 1 || notes[0].Code != c.want {
			t.Errorf("%s %s: %v, %v", c.kind, c.hide, notes, err)
		}
	}
}
