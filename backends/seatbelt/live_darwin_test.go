// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpleval"
)

// These tests ask the kernel of a Mac what the evaluator models. They were
// CROSS-COMPILED and NEVER RUN by those who wrote them.

const sandboxExec = "/usr/bin/sandbox-exec"

// probeWord makes the test binary do one act and exit with 0 where it was
// allowed, 1 where it was refused, 2 where something else went wrong.
const probeWord = "caisson-probe"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == probeWord {
		os.Exit(probe1(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

// probe1 does one act of sbpleval.
func probe1(act string, args []string) int {
	err := doAct(act, args)
	switch {
	case err == nil:
		return 0
	case os.IsPermission(err):
		return 1
	}
	fmt.Fprintln(os.Stderr, act, args, err)
	return 2
}

func doAct(act string, args []string) error {
	switch act {
	case "read":
		_, err := os.ReadFile(args[0])
		return err
	case "stat":
		_, err := os.Stat(args[0])
		return err
	case "write":
		f, err := os.OpenFile(args[0], os.O_WRONLY, 0)
		if err == nil {
			err = f.Close()
		}
		return err
	case "create":
		f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			err = f.Close()
		}
		return err
	case "unlink":
		return unix.Unlink(args[0])
	case "utimes":
		return os.Chtimes(args[0], time.Now(), time.Now())
	case "chmod":
		return unix.Chmod(args[0], 0o755)
	case "setuid-bit":
		return unix.Chmod(args[0], 0o4755)
	case "rename":
		return unix.Rename(args[0], args[1])
	case "link":
		return unix.Link(args[0], args[1])
	case "kill":
		pid := os.Getpid()
		if args[0] == "others" {
			pid = os.Getppid()
		}
		return unix.Kill(pid, 0)
	case "sysctl":
		if args[0] == "kern.procargs2" {
			_, err := unix.SysctlRaw(args[0], os.Getpid())
			return err
		}
		_, err := unix.SysctlRaw(args[0])
		return err
	case "connect":
		c, err := net.DialTimeout(strings.Replace(args[0], "tcp", "tcp4", 1), args[1], 5*time.Second)
		if err == nil {
			if args[0] == "udp" {
				_, err = c.Write([]byte("x"))
			}
			c.Close()
		}
		return deepest(err)
	case "bind", "listen":
		return listen(act, args)
	}
	return fmt.Errorf("the probe cannot %s", act)
}

// deepest gives the errno of a network error; a refused connection was not
// refused by the sandbox.
func deepest(err error) error {
	var errno syscall.Errno
	for err != nil {
		if e, ok := err.(syscall.Errno); ok {
			errno = e
			break
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = u.Unwrap()
	}
	if err == nil || errno == unix.ECONNREFUSED || errno == unix.ENETUNREACH || errno == unix.EHOSTUNREACH {
		return nil
	}
	return errno
}

func listen(act string, args []string) error {
	family, address := unix.AF_INET, unix.Sockaddr(&unix.SockaddrUnix{Name: args[1]})
	if args[0] == "unix" {
		family = unix.AF_UNIX
	} else {
		addr, err := net.ResolveTCPAddr("tcp4", args[1])
		if err != nil {
			return err
		}
		address = &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, address); err != nil || act == "bind" {
		return err
	}
	return unix.Listen(fd, 1)
}

// needSandbox skips where there is no sandbox-exec or this process is confined,
// unless the environment says that it must be there.
func needSandbox(t *testing.T) {
	t.Helper()
	out, err := exec.Command(sandboxExec, "-p", "(version 1)(allow default)", "/usr/bin/true").CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("CAISSON_REQUIRE_SEATBELT") != "" {
		t.Fatalf("sandbox-exec must work here: %v\n%s", err, out)
	}
	t.Skipf("sandbox-exec does not work here: %v", err)
}

// beyondProbe are the acts that Go cannot do without C.
func beyondProbe(act string) bool {
	for _, prefix := range []string{"mach ", "sem_open ", "shm-"} {
		if strings.HasPrefix(act, prefix) {
			return true
		}
	}
	return false
}

// TestVectors compares each vector with the kernel.
func TestVectors(t *testing.T) {
	needSandbox(t)
	text, err := os.ReadFile("internal/sbpleval/testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := sbpleval.ParseVectors(string(text))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		for _, row := range v.Rows {
			if beyondProbe(row.Act) {
				t.Logf("%s: %s: not asked", v.Name, row.Act)
				continue
			}
			dir := shortDir(t)
			dress(t, dir)
			args := append([]string{"-p", v.Profile(dir), self, probeWord}, strings.Fields(strings.ReplaceAll(row.Act, "$D", dir))...)
			out, err := exec.Command(sandboxExec, args...).CombinedOutput()
			status := 0
			if exit, ok := err.(*exec.ExitError); ok {
				status = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if status > 1 {
				t.Errorf("%s: %s: status %d\n%s", v.Name, row.Act, status, out)
			} else if got := status == 0; got != row.Allow {
				t.Errorf("%s: %s: the kernel allows: %v, the model: %v", v.Name, row.Act, got, row.Allow)
			}
		}
	}
}

// shortDir is a temporary directory in which a socket's path is not too long.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/private/tmp", "caisson")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// dress makes the files of the vectors.
func dress(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"a/f", "b/f", "c"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// TestCompiles has macOS take every rule that a generated profile holds, alone
// and in the whole profile.
func TestCompiles(t *testing.T) {
	needSandbox(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "profile.sb")
	accepted := func(text string) error {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		out, err := exec.Command(sandboxExec, "-f", file, "-DTMP="+dir, "-DTTY=/dev/null", "-DPROXY=localhost:61080", "/usr/bin/true").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	seen := map[string]bool{}
	for _, s := range samples() {
		text := profileOf(t, s.plan(t))
		for _, rule := range forms(text)[2:] {
			if one := rule.String(); !seen[one] {
				seen[one] = true
				// Last, so that a denial of everything cannot shut the program out.
				if err := accepted("(version 1)\n(allow default)\n" + strings.Replace(one, "(deny", "(allow", 1) + "\n"); err != nil {
					t.Errorf("%s: %v", one, err)
				}
			}
		}
		if err := accepted(text); err != nil {
			t.Errorf("the profile %s: %v", s.name, err)
		}
	}
}
