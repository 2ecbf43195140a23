// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// TestFalseLess: a command that is to have less is not executed where its list
// did not see to it; with what holds it is.
func TestFalseLess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(t *testing.T, list *entering, less *lessened, s *Sandbox)
		runs   bool
	}{
		{"what holds", func(*testing.T, *entering, *lessened, *Sandbox) {}, true},
		{"the mounts of the sandbox", func(_ *testing.T, _ *entering, less *lessened, s *Sandbox) {
			copy(less.spaces, s.spaces)
		}, false},
		{"no domain", func(t *testing.T, list *entering, _ *lessened, _ *Sandbox) {
			entryNamed(t, list, "enter a domain of its own").args[0] = num(-1)
		}, false},
		{"no word of it", func(_ *testing.T, list *entering, _ *lessened, _ *Sandbox) {
			for i := range list.entries {
				if e := &list.entries[i]; e.nr == nrMark && e.args[0] == list.message.plus(8*(1+attestLess)) {
					e.nr, e.flags = unix.SYS_GETPPID, 0
				}
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ws := filepath.Join(t.TempDir(), "ws")
			kept := filepath.Join(ws, "kept")
			if err := os.MkdirAll(kept, 0o755); err != nil {
				t.Fatal(err)
			}
			s := open(t, holdPlan(ws), Options{StateDir: t.TempDir()})
			less, err := s.lessen(Less{Protect: []string{kept}})
			if err != nil {
				t.Fatal(err)
			}
			defer less.close()
			file := filepath.Join(ws, "made")
			list, in := touching(t, s, file, less)
			c.change(t, list, less, s)
			p := &Process{sandbox: s, done: make(chan struct{})}
			s.thread.do(func() { err = s.startList(t.Context(), p, list, in, less.spaces) })
			if err == nil {
				reap(p.pid)
			}
			if _, made := os.Stat(file); (err == nil) != c.runs || (made == nil) != c.runs {
				t.Errorf("%v, %v", err, made)
			}
		})
	}
}

// TestLessElsewhere: a sandbox that has no mounts of its own refuses before
// anything is executed.
func TestLessElsewhere(t *testing.T) {
	t.Parallel()
	for _, s := range []*Sandbox{{wrapped: &wrapped{}}, {fence: &fence{}}} {
		_, err := s.Start(t.Context(), Command{Path: "/bin/true", Less: Less{Hide: []string{"/x"}}})
		if d, ok := errors.AsType[*diag.Diagnostic](err); !ok || d.Code != diag.ModeUnsupported {
			t.Errorf("%v", err)
		}
	}
}

// TestLessSimplified: what is hidden covers what lies in it.
func TestLessSimplified(t *testing.T) {
	t.Parallel()
	l := Less{ReadOnly: []string{"/a", "/h/ws"}, Protect: []string{"/h", "/a/b", "/a/b", "/hh"}, Hide: []string{"/h/x", "/h", "/h"}}.simplified()
	want := Less{ReadOnly: []string{"/a"}, Protect: []string{"/a/b", "/hh"}, Hide: []string{"/h"}}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Error(diff)
	}
}
