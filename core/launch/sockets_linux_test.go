// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// making opens a sandbox in which the supervisor makes the unix sockets, and
// copies none. Its filter refuses no kind of socket: that is the supervisor's.
func making(t *testing.T) (*Sandbox, string) {
	t.Helper()
	dir := t.TempDir()
	p := fencePlan(dir, true)
	for i, s := range p.Steps {
		switch st := s.(type) {
		case plan.Broker:
			p.Steps[i] = plan.Broker{Makes: true}
		case plan.Landlock:
			st.Handled = append(slices.Clone(st.Handled), "make_sock", "make_sym")
			st.Rules[1].Access = append(slices.Clone(st.Rules[1].Access), "make_sock", "make_sym")
			p.Steps[i] = st
		case plan.Seccomp:
			st.Rules = append(slices.Clone(st.Rules), plan.SeccompRule{Calls: []string{"socket", "bind", "listen"}, Action: "notify", Why: "a test"})
			p.Steps[i] = st
		}
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), p, Options{StateDir: t.TempDir()})
	if err != nil {
		t.Skipf("this host has no Landlock that does: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

// acting starts an act inside. What it says is in the file said of its directory.
func acting(t *testing.T, s *Sandbox, dir, act string, args ...string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.OpenFile(filepath.Join(dir, "said"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); said.Close() }) // the process has it until it is reaped
	p, err := s.Start(context.Background(), Command{Path: self, Args: append([]string{"act"}, args...), Env: []string{actVariable + "=" + act}, Dir: dir, Files: []*os.File{nil, said, said}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// does runs an act inside and expects it to succeed.
func does(t *testing.T, s *Sandbox, dir, act string, args ...string) {
	t.Helper()
	if st, err := acting(t, s, dir, act, args...).Wait(); err != nil || st.Wait.ExitStatus() != 0 {
		said, _ := os.ReadFile(filepath.Join(dir, "said"))
		t.Errorf("%s: %+v %v: %s", act, st, err, said)
	}
}

// free runs an act without a sandbox.
func free(t *testing.T, act string, args ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir, cmd.Env = t.TempDir(), []string{actVariable + "=" + act}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("without a sandbox: %s: %v: %s", act, err, out)
	}
}

// TestMadeSockets: sockets that the supervisor made work as others do.
func TestMadeSockets(t *testing.T) {
	t.Parallel()
	s, dir := making(t)
	name := filepath.Base(dir) + strconv.Itoa(os.Getpid())
	for _, act := range []string{"echo", "kept", "passed", "names", "ends", "signals", "spend"} {
		free(t, act, name) // the control
		does(t, s, dir, act, name)
	}
	does(t, s, dir, "unknown")
	does(t, s, dir, "kinds")
}

// TestMadeSocketsReachNothing: whatever is done to descriptors, names and
// addresses meanwhile, a server outside is not reached; without a sandbox it is.
func TestMadeSocketsReachNothing(t *testing.T) {
	t.Parallel()
	s, dir := making(t)
	for _, c := range []struct{ act, place string }{
		{"dial", filepath.Join(dir, "host")}, {"swap", filepath.Join(t.TempDir(), "host")}, {"rewrite", filepath.Join(t.TempDir(), "host")},
		{"dial", "@" + filepath.Base(dir) + strconv.Itoa(os.Getpid())},
	} {
		var reached atomic.Int64
		l, err := net.Listen("unix", c.place)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				reached.Add(1)
				conn.Close()
			}
		}()
		does(t, s, dir, c.act, c.place)
		if n := reached.Load(); n != 0 {
			t.Errorf("%s %s: reached %d times", c.act, c.place, n)
		}
		for end := time.Now().Add(2 * time.Minute); reached.Load() == 0 && time.Now().Before(end); {
			free(t, c.act, c.place) // a race may be lost
		}
		if reached.Load() == 0 {
			t.Errorf("%s %s: not reached without a sandbox", c.act, c.place)
		}
		l.Close()
	}
}

// TestMadeSocketsAreFew: a command that keeps all the sockets it can have costs
// the supervisor a bounded number of descriptors, until it ends.
func TestMadeSocketsAreFew(t *testing.T) {
	t.Parallel()
	s, dir := making(t)
	hoard := func() *Process {
		p := acting(t, s, dir, "hoard")
		said := filepath.Join(dir, "hoard")
		var text []byte
		for end := time.Now().Add(2 * time.Minute); text == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
			text, _ = os.ReadFile(said)
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || n != maxMade {
			t.Errorf("%d sockets could be made, want %d; %v", n, maxMade, err)
		}
		if got := len(kept(s)); got != maxMade {
			t.Errorf("%d are kept", got)
		}
		if err := os.Remove(said); err != nil {
			t.Error(err)
		}
		return p
	}
	p := hoard()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	does(t, s, dir, "spend") // there is room again
	hoard()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := kept(s); len(got) != 0 {
		t.Errorf("after the end %d are kept", len(got))
	}
}

// kept are the descriptors that the supervisor has for a sandbox.
func kept(s *Sandbox) (fds []int) {
	s.fence.sockets.mu.Lock()
	defer s.fence.sockets.mu.Unlock()
	for _, made := range s.fence.sockets.held {
		fds = append(fds, made.fd)
	}
	return fds
}

// TestSocketNumber: what /proc shows of descriptors, and nothing else, is a
// number of a socket.
func TestSocketNumber(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(fd int, err error) int {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	socket := open(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
	var st unix.Stat_t
	if err := unix.Fstat(socket, &st); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, fmt.Sprintf("socket:[%d]", st.Ino))
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		fd     int
		number uint64
		errno  unix.Errno
	}{
		"a socket":                       {socket, st.Ino, 0},
		"a file of that name":            {open(unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)), 0, unix.ENOTSOCK},
		"one in memory of that name":     {open(unix.MemfdCreate(filepath.Base(name), unix.MFD_CLOEXEC)), 0, unix.ENOTSOCK},
		"a negative number":              {-1, 0, unix.EBADF},
		"a number that nothing is under": {1 << 30, 0, unix.EBADF},
	} {
		if number, errno := socketNumber(os.Getpid(), c.fd); number != c.number || errno != c.errno {
			t.Errorf("%s: %d, %v", what, number, errno)
		}
	}
}

// TestMadeSocketIsGivenFirst: a descriptor that is being given to a command is
// not closed before, when its number could be another file's, and is closed then.
func TestMadeSocketIsGivenFirst(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(*sockets, uint64){
		"the sandbox ends": func(s *sockets, _ uint64) { s.close() },
		"it is bound":      func(s *sockets, number uint64) { go s.forget(number) },
	} {
		fd, err := stream()
		if err != nil {
			t.Fatal(err)
		}
		s := &sockets{}
		number, given, errno := s.keep(fd, nil)
		if errno != 0 {
			t.Fatal(errno)
		}
		is := func() bool {
			var st unix.Stat_t
			return unix.Fstat(fd, &st) == nil && st.Ino == number
		}
		end(s, number)
		for range 100 {
			time.Sleep(time.Millisecond)
			if !is() {
				t.Fatalf("%s: closed before it was given", how)
			}
		}
		close(given)
		for limit := time.Now().Add(time.Minute); is() && time.Now().Before(limit); {
			time.Sleep(time.Millisecond)
		}
		if is() {
			t.Errorf("%s: not closed after it was given", how)
		}
	}
}
