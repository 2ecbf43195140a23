// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOrphans wants what a command leaves behind, in sessions of its own, to be
// gone when the box is closed.
func TestOrphans(t *testing.T) {
	t.Parallel()
	s := newScene(t, "confine")
	b := s.open(t)
	marker := "8347" + filepath.Base(b.dir)[:3]
	out, p := shell(t, b, `(setsid sleep `+marker+` >/dev/null 2>&1 </dev/null &) ; (sleep `+marker+` >/dev/null 2>&1 &) ; sleep 0.3; echo done`)
	if out != "done\n" {
		t.Fatalf("got %q", out)
	}
	if _, _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		text, err := exec.Command("pgrep", "-fc", "^sleep "+marker).Output()
		if err != nil && len(text) == 0 {
			t.Skip("pgrep is not installed")
		}
		return len(strings.TrimRight(strings.TrimSpace(string(text)), "0"))
	}
	if count() == 0 {
		t.Fatal("nothing was left behind, so the test shows nothing")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if count() != 0 {
		t.Error("processes are left")
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	s := newScene(t, "confine")
	b := s.open(t)
	p, err := b.Start(context.Background(), Command{Path: "sleep", Args: []string{"sleep", "1000"}, Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(unix.SIGCONT); err != nil {
		t.Error(err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if status, _, err := p.Wait(); err != nil || !status.Signaled() {
		t.Errorf("status %v, %v", status, err)
	}
	if err := p.Signal(unix.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to what is gone: %v", err)
	}
	if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("killed twice: %v", err)
	}
}

// TestKillOne wants another command of the same box, started later, to go on.
func TestKillOne(t *testing.T) {
	t.Parallel()
	s := newScene(t, "confine")
	b := s.open(t)
	start := func() *Process {
		p, err := b.Start(context.Background(), Command{Path: "sleep", Args: []string{"sleep", "1000"}, Env: []string{}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first, second := start(), start()
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := first.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := second.Signal(unix.SIGTERM); err != nil {
		t.Errorf("the other command: %v", err)
	}
	if status, _, err := second.Wait(); err != nil || status.Signal() != unix.SIGTERM {
		t.Errorf("the other command ended with %v, %v", status, err)
	}
	if b.look(); len(b.trees) > 0 {
		t.Errorf("%d trees are kept of commands that are gone", len(b.trees))
	}
}
