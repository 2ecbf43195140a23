// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// stray hands its parent a dead process or thread to wait for, prints its id and
// ends, or goes on as what is traced by its parent.
func stray(how string) error {
	switch how {
	case "child":
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_PARENT|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 {
			for {
				unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
		}
		if errno != 0 {
			return errno
		}
		fmt.Println(pid)
		return nil
	case "thread":
		return strayThread()
	case "traced":
		fmt.Println(os.Getpid())
		if err := just(raw(unix.SYS_PTRACE, unix.PTRACE_TRACEME)); err != nil {
			return err
		}
		return unix.Kill(os.Getpid(), unix.SIGSTOP)
	}
	return fmt.Errorf("no stray %q", how)
}

// strayThread ends with a thread that is traced by the parent, not the first one.
func strayThread() error {
	failed := make(chan error)
	try := func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			failed <- nil
			select {} // the other one is another thread then
		}
		err := just(raw(unix.SYS_PTRACE, unix.PTRACE_TRACEME))
		if err != nil {
			failed <- err
			return
		}
		fmt.Println(unix.Gettid())
		os.Exit(0)
	}
	go try()
	if err := <-failed; err != nil {
		return err
	}
	go try()
	return <-failed
}

// TestStrays: a command cannot keep its sandbox from coming to an end by what it
// hands the caller to wait for, and leaves nothing of that with the caller.
func TestStrays(t *testing.T) {
	for _, how := range []string{"child", "thread", "traced"} {
		t.Run(how, func(t *testing.T) {
			controlStray(t, how)
			for _, backend := range []string{"linux/namespaces", "linux/landlock"} {
				t.Run(filepath.Base(backend), func(t *testing.T) { strayIn(t, how, backend) })
			}
		})
	}
}

// controlStray shows that a caller that knows nothing of strays is left with one.
func controlStray(t *testing.T, how string) {
	t.Helper()
	cmd := exec.Command(here.binary)
	cmd.Args = []string{attackerName, "stray", how}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	n := 0
	for bytes.Count(buf[:n], []byte("\n")) < 2 {
		got, err := out.Read(buf[n:])
		if err != nil {
			t.Fatalf("%s: %v", buf[:n], err)
		}
		n += got
	}
	id, err := strconv.Atoi(strings.Fields(string(buf[:n]))[1])
	if err != nil {
		t.Fatal(err)
	}
	var ws unix.WaitStatus
	if got, err := unix.Wait4(id, &ws, unix.WALL, nil); got != id || how == "traced" && !ws.Stopped() {
		t.Fatalf("the control waits for %d: %d %v %v", id, got, ws, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// strayBox opens a sandbox that the test closes.
func strayBox(t *testing.T, backend string) (sb *sandbox.Sandbox, work string) {
	t.Helper()
	work = filepath.Join(t.TempDir(), "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	p := policy.Standard(work)
	if backend != "linux/namespaces" {
		p.AllowWeaker = append(p.AllowWeaker, guarantee.WriteProtected, guarantee.IPCConfined, guarantee.DeviceDenied)
	}
	sb, err := sandbox.Open(context.Background(), p, &sandbox.Options{Prefer: backend})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb, work
}

func strayIn(t *testing.T, how, backend string) {
	sb, work := strayBox(t, backend)
	ended := make(chan string, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		cmd := sb.Command(ctx, here.binary)
		cmd.Args = []string{attackerName, "stray", how}
		cmd.Dir = work
		out, _ := cmd.Output() // it ends by itself, or it is killed
		sb.Close()
		ended <- string(out)
	}()
	select {
	case out := <-ended:
		if len(strings.Fields(out)) < 2 {
			t.Errorf("the act did nothing: %q", out)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the sandbox never ends")
	}
	if left := strays(t); left != "" {
		t.Errorf("left with the caller: %s", left)
	}
}

// TestStraysWhileOpen: what commands hand the caller to wait for does not pile up
// with it while their sandbox is open, and a command that the caller waits for is
// never taken for it.
func TestStraysWhileOpen(t *testing.T) {
	controlStray(t, "child")
	for _, backend := range []string{"linux/namespaces", "linux/landlock"} {
		t.Run(filepath.Base(backend), func(t *testing.T) {
			sb, work := strayBox(t, backend)
			run := func(args ...string) (string, error) {
				cmd := sb.Command(context.Background(), here.binary)
				cmd.Args, cmd.Dir = append([]string{attackerName}, args...), work
				out, err := cmd.Output()
				return string(out), err
			}
			for range 20 {
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() {
						if out, err := run("stray", "child"); err != nil || len(strings.Fields(out)) < 2 {
							t.Errorf("%q, %v", out, err)
						}
					})
				}
				both.Wait()
			}
			for end := time.Now().Add(time.Minute); strays(t) != ""; {
				if time.Now().After(end) {
					t.Fatalf("left with the caller: %s", strays(t))
				}
				_, _ = run("nothing") // the last stray may have died after its maker
			}
		})
	}
}

// strays lists the dead children of this process that are called like the attacker.
func strays(t *testing.T) string {
	t.Helper()
	var left []string
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, _ := os.ReadFile(f) // the thread may be gone
		for _, pid := range strings.Fields(string(text)) {
			if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && strings.Contains(string(stat), ") Z ") {
				left = append(left, string(stat[:min(len(stat), 40)]))
			}
		}
	}
	return strings.Join(left, ", ")
}
