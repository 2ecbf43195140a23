// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// The executable of the tests does something else under these names.
const (
	askerName  = "asker"  // NAME: says something on the socket NAME below descriptor 3, prints what is answered
	listenName = "listen" // NAME: listens there until its input ends
)

// stranger is a user that no host has.
const stranger = 12345

func TestMain(m *testing.M) {
	var err error
	switch os.Args[0] {
	case askerName:
		err = ask(os.Args[1])
	case listenName:
		err = listen(os.Args[1])
	default:
		os.Exit(run(m))
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// base is where the tests work: in no temporary directory, since commands have
// private ones.
const base = "CAISSON_SESSION_BASE"

func run(m *testing.M) int {
	parent := "/var"
	if os.Geteuid() != 0 {
		parent, _ = os.UserHomeDir()
	}
	dir, err := os.MkdirTemp(parent, "caisson-session-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for name, value := range map[string]string{base: dir, "HOME": dir, "XDG_STATE_HOME": dir, "XDG_CONFIG_HOME": dir} {
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":1}}` + "\n"

func ask(name string) error {
	socket, err := net.Dial("unix", "/proc/self/fd/3/"+name)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(socket, hello+`{"jsonrpc":"2.0","id":2,"method":"session.end","params":{}}`+"\n"); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, socket)
	return err
}

func listen(name string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: "/proc/self/fd/3/" + name, Net: "unix"})
	if err != nil {
		return err
	}
	fmt.Println("listens")
	l.SetUnlinkOnClose(false)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// as runs the executable under another name, as a user, with a directory as
// descriptor 3.
func as(t *testing.T, uid int, dir string, args ...string) *exec.Cmd {
	t.Helper()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	cmd := exec.Command("/proc/self/exe")
	cmd.Args, cmd.ExtraFiles = args, []*os.File{d}
	if uid != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	return cmd
}

// state is a directory of caisson's state, and that of its sessions.
func state(t *testing.T) (dir, sessions string) {
	t.Helper()
	own, err := os.MkdirTemp(os.Getenv(base), "state-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(own) })
	dir = filepath.Join(own, "caisson")
	return dir, filepath.Join(dir, "sessions")
}

// hold holds a session until the test ends or somebody ends it.
func hold(t *testing.T, state, name string) (ended <-chan struct{}) {
	t.Helper()
	work := filepath.Join(filepath.Dir(state), "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		t.Fatal(err)
	}
	prepared, err := sandbox.Prepare(t.Context(), policy.Standard(work), nil)
	if err != nil {
		t.Skip("this host cannot uphold the standard contract: ", err)
	}
	sb, err := prepared.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h, err := Claim(state, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Listen(Info{Workspace: []string{work}, Backend: sb.Backend()}, 0); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(over)
		h.Serve(ctx, serve.Held{Sandbox: sb, Prepared: prepared}, "test")
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
		h.Release()
	}()
	t.Cleanup(func() { cancel(); <-over })
	return over
}

// code is that of a diagnostic, "" for none.
func code(err error) diag.Code {
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		return d.Code
	}
	return ""
}

// asRoot skips where the test cannot be another user too.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can be another user")
	}
}

// TestNames: a name is part of a path, so nothing but a plain word is one.
func TestNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"app": true, "a-b_9": true, strings.Repeat("a", maxName): true, NewName(): true,
		"": false, "-a": false, "_a": false, ".": false, "..": false, "a/b": false, "a.lock": false, "a b": false, "ä": false,
		"a\n": false, "a\x00": false, strings.Repeat("a", maxName+1): false,
	} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestUnsafeDirectory: a directory of the sessions that others made, can change or
// can enter is refused by who starts, lists, joins and ends; one of ours is not.
func TestUnsafeDirectory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		root bool
		lay  func(t *testing.T, state, sessions string) error
	}{
		{"none", false, nil},
		{"a link to a directory of ours", false, func(_ *testing.T, state, sessions string) error {
			real := filepath.Join(filepath.Dir(state), "real")
			return errors.Join(os.Mkdir(real, 0o700), os.Symlink(real, sessions))
		}},
		{"a file", false, func(_ *testing.T, _, sessions string) error { return os.WriteFile(sessions, nil, 0o600) }},
		{"open to the group", false, func(_ *testing.T, _, sessions string) error {
			return errors.Join(os.Mkdir(sessions, 0o700), os.Chmod(sessions, 0o710))
		}},
		{"open to all", false, func(_ *testing.T, _, sessions string) error {
			return errors.Join(os.Mkdir(sessions, 0o700), os.Chmod(sessions, 0o777))
		}},
		{"in a directory that all can change", false, func(_ *testing.T, state, sessions string) error {
			return errors.Join(os.Mkdir(sessions, 0o700), os.Chmod(state, 0o777))
		}},
		{"of another user", true, func(_ *testing.T, _, sessions string) error {
			return errors.Join(os.Mkdir(sessions, 0o700), os.Chown(sessions, stranger, stranger))
		}},
		{"in a directory of another user", true, func(_ *testing.T, state, sessions string) error {
			return errors.Join(os.Mkdir(sessions, 0o700), os.Chown(state, stranger, stranger))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, sessions := state(t)
			if c.root {
				asRoot(t)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if c.lay == nil { // the control
				ended := hold(t, dir, "app")
				if list, err := List(dir); err != nil || len(list) != 1 || list[0].Name != "app" || list[0].Pid != os.Getpid() {
					t.Errorf("%+v, %v", list, err)
				}
				if err := End(dir, "app"); err != nil {
					t.Error(err)
				}
				<-ended
				return
			}
			if err := c.lay(t, dir, sessions); err != nil {
				t.Fatal(err)
			}
			_, claimed := Claim(dir, "app")
			_, listed := List(dir)
			_, _, attached := Attach(dir, "app")
			for _, err := range []error{claimed, listed, attached, End(dir, "app")} {
				if code(err) != diag.SessionUnsafe {
					t.Errorf("%v", err)
				}
			}
		})
	}
}
