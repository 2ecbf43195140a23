// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// TestOtherUser: a process of another user gets no answer of a session, and cannot
// end it, even where it has the directory and the socket's mode lets it connect; one
// of ours does both.
func TestOtherUser(t *testing.T) {
	t.Parallel()
	asRoot(t)
	dir, sessions := state(t)
	ended := hold(t, dir, "app")
	// By its path it does not come near it.
	if out, err := as(t, stranger, sessions, askerName, "app.sock").CombinedOutput(); err == nil {
		t.Errorf("the socket's own mode lets another user in: %s", out)
	}
	if err := os.Chmod(filepath.Join(sessions, "app.sock"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(sessions, 0o711); err != nil {
		t.Fatal(err)
	}
	out, _ := as(t, stranger, sessions, askerName, "app.sock").CombinedOutput() // it may be cut off while it writes
	if strings.Contains(string(out), "jsonrpc") || strings.Contains(string(out), "permission denied") {
		t.Errorf("it was answered, or did not get that far: %s", out)
	}
	select {
	case <-ended:
		t.Fatal("it ended the session")
	default:
	}
	if out, err := as(t, 0, sessions, askerName, "app.sock").CombinedOutput(); err != nil || !strings.Contains(string(out), `"id":2,"result"`) {
		t.Errorf("control: %v %s", err, out)
	}
	<-ended
}

// TestFalseHolder: a socket that another user listens on is not talked to, one of
// ours is, and what is no socket of a session that lives is no session.
func TestFalseHolder(t *testing.T) {
	t.Parallel()
	dir, sessions := state(t)
	hold(t, dir, "app")
	client, detach, err := Attach(dir, "app")
	if err != nil || client == nil {
		t.Fatalf("control: %v", err)
	}
	detach()
	t.Run("other user", func(t *testing.T) {
		asRoot(t)
		open, err := os.MkdirTemp(filepath.Dir(dir), "open")
		if err == nil {
			err = os.Chown(open, stranger, stranger)
		}
		if err == nil {
			err = os.Chmod(filepath.Dir(dir), 0o711)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := as(t, stranger, open, listenName, "x")
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait() // its end is the end of its input
		defer in.Close()
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(line, err)
		}
		if err := os.Rename(filepath.Join(open, "x"), filepath.Join(sessions, "false.sock")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Attach(dir, "false"); code(err) != diag.SessionUnsafe {
			t.Errorf("%v", err)
		}
	})
	for name, lay := range map[string]func(path string) error{
		"none":    func(string) error { return nil },
		"file":    func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"loop":    func(path string) error { return os.Symlink(filepath.Base(path), path) },
		"nowhere": func(path string) error { return os.Symlink("/nonexistent", path) },
		"stale":   stale,
	} {
		if err := lay(filepath.Join(sessions, name+socketEnd)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Attach(dir, name); err == nil || name != "loop" && code(err) != diag.SessionUnknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// stale leaves a socket that nobody listens on.
func stale(path string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

// TestLeft: a name is free again when its holder was killed, whatever lies in the
// place of the socket; what lies in the place of the lock is never followed, and
// nothing that a link leads to is touched.
func TestLeft(t *testing.T) {
	t.Parallel()
	for name, lay := range map[string]func(path, victim string) error{
		"stale socket": func(path, _ string) error { return stale(path + socketEnd) },
		"both": func(path, _ string) error {
			return errors.Join(os.WriteFile(path+lockEnd, []byte(`{"name":"x","pid":1}`), 0o600), stale(path+socketEnd))
		},
		"link for a socket": func(path, victim string) error { return os.Symlink(victim, path+socketEnd) },
		"file for a socket": func(path, _ string) error { return os.WriteFile(path+socketEnd, nil, 0o600) },
		"link for a lock":   func(path, victim string) error { return os.Symlink(victim, path+lockEnd) },
		"fifo for a lock":   func(path, _ string) error { return unix.Mkfifo(path+lockEnd, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, sessions := state(t)
			if err := os.MkdirAll(sessions, 0o700); err != nil {
				t.Fatal(err)
			}
			victim := filepath.Join(filepath.Dir(dir), "victim")
			if err := errors.Join(os.WriteFile(victim, []byte("kept"), 0o600), lay(filepath.Join(sessions, "app"), victim)); err != nil {
				t.Fatal(err)
			}
			if list, err := List(dir); err != nil || len(list) != 0 {
				t.Errorf("%v, %v", list, err)
			}
			h, err := Claim(dir, "app")
			switch {
			case err == nil:
				if err = h.Listen(Info{}, 0); err != nil {
					t.Error(err)
				}
				h.Release()
			case !strings.HasPrefix(name, "link for a lock") && !strings.HasPrefix(name, "fifo"):
				t.Error(err)
			}
			if text, err := os.ReadFile(victim); err != nil || string(text) != "kept" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// TestOneName: of many that want one name exactly one has it at a time, and it is
// free when that one is gone.
func TestOneName(t *testing.T) {
	t.Parallel()
	dir, sessions := state(t)
	var held, most, won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				h, err := Claim(dir, "app")
				if err != nil {
					if code(err) != diag.SessionExists {
						t.Error(err)
					}
					continue
				}
				won.Add(1)
				if n := held.Add(1); n > most.Load() {
					most.Store(n)
				}
				if err := h.Listen(Info{}, 0); err != nil {
					t.Error(err)
				}
				held.Add(-1)
				h.Release()
			}
		})
	}
	all.Wait()
	if most.Load() != 1 || won.Load() < 2 {
		t.Errorf("%d held it at once, %d in all", most.Load(), won.Load())
	}
	if left, err := os.ReadDir(sessions); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestEndAndEnd: all who end a session at once come back, one at least with success,
// and then it is gone; one of the same name that is started then is another one.
func TestEndAndEnd(t *testing.T) {
	t.Parallel()
	dir, _ := state(t)
	for range 20 {
		ended := hold(t, dir, "app")
		var all sync.WaitGroup
		var well atomic.Int32
		for range 4 {
			all.Go(func() {
				switch err := End(dir, "app"); {
				case err == nil:
					well.Add(1)
				case code(err) != diag.SessionUnknown:
					t.Error(err)
				}
			})
		}
		all.Wait()
		<-ended
		if well.Load() == 0 {
			t.Error("nobody ended it")
		}
	}
}

// TestEndEarly: a session that begins cannot be ended yet, and who tries does not
// wait for it.
func TestEndEarly(t *testing.T) {
	t.Parallel()
	dir, sessions := state(t)
	if err := errors.Join(os.MkdirAll(sessions, 0o700), os.WriteFile(filepath.Join(sessions, "app.lock"), []byte(`{"pid":1}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, claimed := range []bool{false, true} {
		if claimed {
			h, err := Claim(dir, "app")
			if err != nil {
				t.Fatal(err)
			}
			defer h.Release()
		}
		if err := End(dir, "app"); code(err) != diag.SessionUnknown {
			t.Errorf("claimed %v: %v", claimed, err)
		}
	}
}

// TestPassed: descriptors that come are taken in their order, only those that came,
// and are closed with the connection; too many are an error.
func TestPassed(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	c := &conn{socket: ours}
	defer c.close()
	a, b := file(t, "a"), file(t, "b")
	if err := (&conn{socket: theirs}).send([]byte("x\n"), []*os.File{a, b}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "x\n" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	if _, err := c.take(3); code(err) != diag.RequestInvalid {
		t.Errorf("more were taken than came: %v", err)
	}
	got, err := c.take(1)
	if err != nil {
		t.Fatal(err)
	}
	defer got[0].Close()
	if n, _ := got[0].Read(buf); string(buf[:n]) != "a" {
		t.Errorf("%q came first", buf[:n])
	}
	kept := c.files[0]
	c.close()
	if err := kept.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("what nobody took is open: %v", err)
	}
}

// TestTooManyPassed: what nobody asked for is bounded.
func TestTooManyPassed(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	c := &conn{socket: ours}
	defer c.close()
	files := make([]*os.File, maxPassed+1)
	for i := range files {
		files[i] = file(t, "x")
	}
	if err := (&conn{socket: theirs}).send([]byte("x\n"), files); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 16)); err == nil {
		t.Error("they were taken")
	}
	if len(c.files) > maxPassed {
		t.Errorf("%d are kept", len(c.files))
	}
}

func pair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "end")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

func file(t *testing.T, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
