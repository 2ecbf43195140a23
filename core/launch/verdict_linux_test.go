// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// touching is the list of a command that makes a file, and what it inherits.
func touching(t *testing.T, s *Sandbox, file string, less *lessened) (*entering, *inherited) {
	t.Helper()
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(null) })
	list, err := enterProgram(s.plan, len(s.spaces), s.filter, spec{
		paths: []string{"/bin/touch"}, argv: []string{"touch", file}, dir: filepath.Dir(file), std: 3, terminal: -1, newSession: -1, callerPID: os.Getpid(), less: less,
	})
	if err != nil {
		t.Fatal(err)
	}
	return list, &inherited{fds: []int{null, null, null}}
}

// entryNamed finds an entry of a list by what it is for.
func entryNamed(t *testing.T, list *entering, what string) *entry {
	t.Helper()
	for i := range list.entries {
		if list.entries[i].what == what {
			return &list.entries[i]
		}
	}
	t.Fatalf("no entry %q", what)
	return nil
}

// TestFalseAttestation: a command whose list attests what does not hold, or not
// in the form of an attestation, is never executed; with what holds it is.
func TestFalseAttestation(t *testing.T) {
	t.Parallel()
	nothing := func(e *entry) { e.nr, e.flags = unix.SYS_GETPPID, 0 }
	for _, c := range []struct {
		name   string
		change func(t *testing.T, list *entering)
		code   diag.Code // "": the command runs; "-": some error
	}{
		{"what holds", func(*testing.T, *entering) {}, ""},
		{"a step is not marked", func(t *testing.T, l *entering) {
			for i := range l.entries {
				if e := &l.entries[i]; e.nr == nrMark {
					nothing(e)
				}
			}
		}, diag.AttestFailed},
		{"no filter is in force", func(t *testing.T, l *entering) { nothing(entryNamed(t, l, "filter system calls")) }, diag.AttestFailed},
		{"the filter is not looked at", func(t *testing.T, l *entering) { nothing(entryNamed(t, l, "read the seccomp mode")) }, diag.AttestFailed},
		{"short", func(t *testing.T, l *entering) { entryNamed(t, l, "attest").args[2].value -= 8 }, "-"},
		{"of two words, as a failure", func(t *testing.T, l *entering) { entryNamed(t, l, "attest").args[2].value = 16 }, "-"},
		{"twice", func(t *testing.T, l *entering) {
			entryNamed(t, l, "wait for the verdict").nr = unix.SYS_WRITE
			e := entryNamed(t, l, "wait for the verdict")
			e.args = entryNamed(t, l, "attest").args
		}, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ws := filepath.Join(t.TempDir(), "ws")
			if err := os.Mkdir(ws, 0o755); err != nil {
				t.Fatal(err)
			}
			s := open(t, holdPlan(ws), Options{StateDir: t.TempDir()})
			file := filepath.Join(ws, "made")
			list, in := touching(t, s, file, nil)
			c.change(t, list)
			p := &Process{sandbox: s, done: make(chan struct{})}
			var err error
			s.thread.do(func() { err = s.startList(t.Context(), p, list, in, s.spaces) })
			if err == nil {
				reap(p.pid)
			}
			_, made := os.Stat(file)
			d, told := errors.AsType[*diag.Diagnostic](err)
			switch {
			case c.code == "" && (err != nil || made != nil):
				t.Errorf("%v, %v", err, made)
			case c.code != "" && (err == nil || made == nil):
				t.Error("the command was executed")
			case c.code != "" && c.code != "-" && (!told || d.Code != c.code):
				t.Errorf("%v", err)
			}
		})
	}
}

// TestVerdict: a list that has attested goes on by a whole verdict only, and
// ends with the socket to its supervisor.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		say  func(fd int) error
		runs bool
	}{
		{"a verdict", func(fd int) error { return unix.Send(fd, make([]byte, verdictSize), 0) }, true},
		{"a short one", func(fd int) error { return unix.Send(fd, make([]byte, verdictSize-1), 0) }, false},
		{"the end", func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ws := filepath.Join(t.TempDir(), "ws")
			if err := os.Mkdir(ws, 0o755); err != nil {
				t.Fatal(err)
			}
			s := open(t, holdPlan(ws), Options{StateDir: t.TempDir()})
			file := filepath.Join(ws, "made")
			list, in := touching(t, s, file, nil)
			var err error
			s.thread.do(func() { err = byHand(t.Context(), s, list, in, file, c.say) })
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); (err == nil) != c.runs {
				t.Errorf("the file: %v", err)
			}
		})
	}
}

// byHand executes a list, says something to it when it has attested, and waits
// for the end of what it made.
func byHand(ctx context.Context, s *Sandbox, list *entering, in *inherited, file string, say func(fd int) error) error {
	image, err := list.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(image)
	ctl, err := newControl()
	if err != nil {
		return err
	}
	defer ctl.close()
	first, err := execImage(image, append(append(append([]int{}, in.fds...), ctl.other), s.spaces...)...)
	if err != nil {
		return err
	}
	ctl.handedOver()
	defer reap(first)
	pid, attested, said := 0, false, false
	defer func() { reap(pid) }()
	for ctx.Err() == nil {
		m, err := ctl.receive()
		switch {
		case err != nil:
			return err
		case m == nil:
			return nil
		case len(m.words) == 1:
			pid = int(m.words[0])
		case m.words[0] == msgAttest:
			attested = true
		}
		if pid == 0 || !attested || said {
			continue
		}
		if _, err := os.Stat(file); err == nil {
			return errors.New("the command ran before the verdict")
		}
		if said = true; say(ctl.fd) != nil {
			return errors.New("nothing can be said to the list")
		}
	}
	return ctx.Err()
}
