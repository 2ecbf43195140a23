// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// temporary is a directory with its real name, removed by calls that Wine has.
func temporary(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "launch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // Wine cannot
	return dir
}

// makeLink makes a link, or skips: it takes a privilege, and Wine says that it
// made one and does not.
func makeLink(t *testing.T, to, link string) {
	t.Helper()
	err := os.Symlink(to, link)
	if err == nil {
		_, err = os.Lstat(link)
	}
	if err != nil {
		t.Skipf("SKIPPED: no links can be made here: %v", err)
	}
}

func TestInPlace(t *testing.T) {
	dir := temporary(t)
	real := filepath.Join(dir, "real")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	if !inPlace(real) {
		t.Errorf("%s is in its place", real)
	}
	if inPlace(filepath.Join(dir, "absent")) {
		t.Error("what is not there is in its place")
	}
	link := filepath.Join(dir, "link")
	makeLink(t, real, link)
	if inPlace(link) {
		t.Error("a link is in its place")
	}
}

// TestSweep: what appears by way of a link is not moved, and what appears
// in the workspace is.
func TestSweep(t *testing.T) {
	dir := temporary(t)
	mine, ws := filepath.Join(dir, "mine"), filepath.Join(dir, "ws")
	for _, d := range []string{mine, ws} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "tasks.json"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var told []diag.Diagnostic
	s := &Sandbox{plan: &plan.Windows{Quarantine: []string{filepath.Join(ws, "tasks.json")}},
		options: Options{StateDir: filepath.Join(dir, "state"), Report: func(d diag.Diagnostic) { told = append(told, d) }}}
	s.sweep()
	if _, err := os.Lstat(filepath.Join(ws, "tasks.json")); err == nil || len(told) != 1 {
		t.Errorf("it was not moved away: %v, %v", err, told)
	}
	link := filepath.Join(ws, ".vscode")
	makeLink(t, mine, link)
	s.plan.Quarantine = []string{filepath.Join(link, "tasks.json")}
	s.sweep()
	if _, err := os.Lstat(filepath.Join(mine, "tasks.json")); err != nil || len(told) != 2 {
		t.Errorf("a file of the user was moved away: %v, %v", err, told)
	}
}

// TestOutOfReach: where commands may write, no helper is started.
func TestOutOfReach(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	helper := filepath.Join(filepath.Dir(self), helperName)
	if _, err := os.Lstat(helper); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(helper, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(helper) })
	}
	at := func(dir, ace string) *plan.Windows {
		return &plan.Windows{ACL: []plan.WindowsACE{{Path: dir, ACE: ace, Why: plan.WhyRoot}}}
	}
	var d *diag.Diagnostic
	for _, dir := range []string{filepath.Dir(self), filepath.Dir(filepath.Dir(self)), helper} {
		if err := outOfReach(at(dir, "(A;OICI;0x1301bf;;;{account})")); !errors.As(err, &d) || d.Code != diag.WorkspaceInvalid {
			t.Errorf("%s is writable: %v", dir, err)
		}
		if err := outOfReach(at(dir, "(D;OICI;0xd0156;;;{account})")); err != nil {
			t.Errorf("%s is protected: %v", dir, err)
		}
	}
	if err := outOfReach(at(temporary(t), "(A;OICI;0x1301bf;;;{cap0})")); err != nil {
		t.Errorf("another directory: %v", err)
	}
}
