// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// processesIn lists the processes whose current directory is below dir.
func processesIn(dir string) []string {
	var found []string
	names, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, name := range names {
		if at, err := os.Readlink(name); err == nil && (at == dir || strings.HasPrefix(at, dir+"/")) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
			found = append(found, fmt.Sprintf("%s: %s", filepath.Dir(name), bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// wantNothingIn waits until no process is in a workspace and no file.
func wantNothingIn(t *testing.T, dir string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		processes := processesIn(dir)
		files, err := os.ReadDir(dir)
		if len(processes) == 0 && len(files) == 0 && err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: processes %q, files %v, %v", processes, files, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// mounts lists the mounts of this process that name the directory.
func mounts(t *testing.T, dir string) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return found
}

// residueCommands are what is ended at random moments: each starts processes
// that try to outlive it.
var residueCommands = [...]string{
	"exit 0", "exit 3", "no-such-command", "kill -KILL $$", "sleep 1000 & exit 0", "setsid sleep 1000 & exec sleep 1000",
	"trap '' INT TERM HUP; (trap '' INT TERM HUP; exec sleep 1000) & while :; do sleep 0.01; done",
}

// TestNothingIsLeft ends runs in every way, and looks for what is left.
func TestNothingIsLeft(t *testing.T) {
	random := rand.New(rand.NewPCG(3, uint64(os.Getpid())))
	dir := shared.workspace(t)
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	for i := range rounds {
		script := residueCommands[random.IntN(len(residueCommands))]
		cmd := shared.command("caisson", "run", "-q", "--", "bash", "-c", script)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		how := []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT}[i%4]
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		_ = cmd.Process.Signal(how) // it may have ended by itself
		if how != syscall.SIGKILL {
			time.Sleep(20 * time.Millisecond)
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait() // any status
	}
	gc := shared.command("caisson", "gc")
	if out, err := gc.CombinedOutput(); err != nil {
		t.Errorf("gc: %v\n%s", err, out)
	}
	wantNothingIn(t, dir)
	if left := mounts(t, dir); len(left) > 0 {
		t.Errorf("mounts are left: %q", left)
	}
}

// TestNextRunCleansUp kills caisson and all that would clean up after it, and
// wants the next run to do it.
func TestNextRunCleansUp(t *testing.T) {
	dir := shared.workspace(t)
	for range 5 {
		cmd := shared.command("caisson", "run", "--", "bash", "-c", "echo started; sleep 1000")
		cmd.Dir = dir
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if held, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(held) == 0 {
			t.Fatalf("no name is held: %v", err)
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if err != nil {
			t.Skip("SKIPPED: this kernel lists no children")
		}
		_ = cmd.Process.Kill()
		for _, pid := range strings.Fields(string(children)) {
			var n int
			if _, err := fmt.Sscan(pid, &n); err == nil {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
		_ = cmd.Wait() // killed
	}
	next := shared.command("caisson", "run", "--", "true")
	next.Dir = dir
	if out, err := next.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	wantNothingIn(t, dir)
}

// TestManyRunsAtOnce runs thirty sandboxes in one workspace, none of which may
// see the others or fill a name that is held.
func TestManyRunsAtOnce(t *testing.T) {
	dir := shared.workspace(t)
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			cmd := shared.command("caisson", "run", "--", "bash", "-ec",
				fmt.Sprintf("echo %d >f%d; touch /tmp/own; test $(ls /tmp | wc -l) = 1; for d in .claude/x .git/x .mcp.json/x; do if mkdir -p $d 2>/dev/null; then echo made $d; fi; done; cat f%d; rm f%d", i, i, i, i))
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != fmt.Sprintln(i) {
				t.Errorf("%d: %v, %q", i, err, out)
			}
		})
	}
	all.Wait()
	wantNothingIn(t, dir)
}

// TestRunsThatComeAndGo has names of one workspace held and given back all the
// time, while other sandboxes begin.
func TestRunsThatComeAndGo(t *testing.T) {
	dir := shared.workspace(t)
	each := 40
	if testing.Short() {
		each = 10
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range each {
				cmd := shared.command("caisson", "run", "--", "true")
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("%v\n%s", err, out)
				}
			}
		})
	}
	all.Wait()
	wantNothingIn(t, dir)
}
