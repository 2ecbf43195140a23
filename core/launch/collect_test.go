// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/journal"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Environment of the process that TestHoldOwner runs in.
const (
	envWorkspace = "CAISSON_TEST_WORKSPACE"
	envState     = "CAISSON_TEST_STATE"
	// envPlant has the command make a name that is moved away instead.
	envPlant = "CAISSON_TEST_PLANT"
)

// TestHoldOwner is no test: it is the caisson that others kill. Its command
// tries to make the held name as long as it lives.
func TestHoldOwner(t *testing.T) {
	ws := os.Getenv(envWorkspace)
	if ws == "" {
		t.Skip("runs in a process of its own")
	}
	state := os.Getenv(envState)
	p := holdPlan(ws, plan.Hold{Path: ws + "/.claude", Kind: "dir"})
	script := "while :; do mkdir .claude; done 2>/dev/null"
	switch {
	case state == "":
		p = holdPlan(ws)
	case os.Getenv(envPlant) != "":
		p = holdPlan(ws, plan.Watch{Quarantine: []string{ws + "/.envrc", ws + "/.vscode"}, Git: []string{ws + "/.git"}})
		script = "while :; do echo evil > .envrc; mkdir -p .vscode/x; : > made; done"
	}
	s, err := Open(context.Background(), p, Options{StateDir: state})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	begin(t, s, ws, script)
	if state == "" {
		fmt.Println("init", s.init)
	} else {
		fmt.Println("guardian", s.holds.guardian)
	}
	select {}
}

// owner starts TestHoldOwner and returns it with its guardian's id, or without
// a state that of process 1.
func owner(t *testing.T, ws, state string, env ...string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHoldOwner$")
	// It is killed, so what it keeps in temporary directories is removed here.
	cmd.Env = append(append(os.Environ(), envWorkspace+"="+ws, envState+"="+state, "TMPDIR="+t.TempDir()), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	buf := make([]byte, 256)
	n, _ := out.Read(buf)
	word, number, _ := bytes.Cut(bytes.TrimSpace(buf[:n]), []byte(" "))
	guardian, err := strconv.Atoi(string(number))
	if string(word) != "guardian" && string(word) != "init" || err != nil {
		t.Fatalf("owner says %q", buf[:n])
	}
	return cmd, guardian
}

// ended waits for a process that is no child of this one.
func ended(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 30000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			t.Fatalf("process %d does not end: %v", pid, err)
		}
		return
	}
}

// TestOwnerKilled: process 1 dies with its owner without the help of a guardian.
func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			ws, _ := repository(t)
			cmd, init := owner(t, ws, "")
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			ended(t, init)
		})
	}
}

func TestHoldOwnerKilled(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			ws, state := repository(t)
			cmd, guardian := owner(t, ws, state)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			ended(t, guardian)
			if exists(ws + "/.claude") {
				t.Error("the placeholder is left, or the command made it after all")
			}
			if n := records(t, state); n != 0 {
				t.Errorf("%d records are left", n)
			}
		})
	}
}

func TestHoldOwnerAndGuardianKilled(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	cmd, guardian := owner(t, ws, state)
	var living findings
	if err := Collect(state, living.add); err != nil {
		t.Fatal(err)
	}
	if !exists(ws + "/.claude") {
		t.Fatal("the placeholder of a living sandbox was removed")
	}
	if len(living.all) != 1 || !strings.Contains(living.all[0].Message, "still held (1)") {
		t.Errorf("findings beside a living sandbox: %v", living.all)
	}
	_ = unix.Kill(guardian, unix.SIGKILL)
	ended(t, guardian)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if !exists(ws + "/.claude") {
		t.Fatal("nothing is left, so this test tests nothing")
	}
	if err := os.WriteFile(state+"/journal/foreign", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var found findings
	if err := Collect(state, found.add); err != nil {
		t.Fatal(err)
	}
	if exists(ws+"/.claude") || records(t, state) != 1 || !exists(state+"/journal/foreign") {
		t.Errorf("after Collect: placeholder %v, records %d", exists(ws+"/.claude"), records(t, state))
	}
	if got := found.codes(); len(got) != 2 || got[0] != diag.LeftoverRemoved || got[1] != diag.LeftoverRemoved {
		t.Errorf("findings: %v", found.all)
	}
}

// TestCollectBesideGuardian: what the guardian of a killed run is about to remove
// is waited for, or told of.
func TestCollectBesideGuardian(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	cmd, guardian := owner(t, ws, state)
	if err := unix.Kill(guardian, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	var told findings
	if err := Collect(state, told.add); err != nil {
		t.Fatal(err)
	}
	if !exists(ws+"/.claude") || len(told.all) != 1 || !strings.Contains(told.all[0].Message, "being ended") {
		t.Errorf("with a stopped guardian: placeholder %v, findings %v", exists(ws+"/.claude"), told.all)
	}
	if err := unix.Kill(guardian, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var waited findings
	if err := Collect(state, waited.add); err != nil {
		t.Fatal(err)
	}
	if exists(ws+"/.claude") == (len(waited.all) == 0) {
		t.Errorf("with a guardian at work: placeholder %v, findings %v", exists(ws+"/.claude"), waited.all)
	}
	ended(t, guardian)
	if exists(ws + "/.claude") {
		t.Error("the placeholder is left")
	}
}

func TestCollectPending(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, content string
		make          func(path string) error
		left          bool
	}{
		"nothing made": {kind: "dir", make: func(string) error { return nil }},
		"directory":    {kind: "dir", make: func(p string) error { return os.Mkdir(p, 0o755) }},
		"file cut":     {kind: "file", content: "..", make: func(p string) error { return os.WriteFile(p, []byte("."), 0o444) }},
		"user's file":  {kind: "file", content: ".", make: func(p string) error { return os.WriteFile(p, []byte("x"), 0o644) }, left: true},
		"full":         {kind: "dir", make: func(p string) error { return os.MkdirAll(p+"/a", 0o755) }, left: true},
		"later": {kind: "dir", left: true, make: func(p string) error {
			time.Sleep(pendingTime + 100*time.Millisecond)
			return os.Mkdir(p, 0o755)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := dir + "/x"
			d, err := journal.Open(dir + "/state")
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			fd, err := d.Begin(journal.Record{Path: p, Kind: c.kind, Content: c.content})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.make(p); err != nil {
				t.Fatal(err)
			}
			unix.Close(fd)
			if err := Collect(dir+"/state", nil); err != nil {
				t.Fatal(err)
			}
			if exists(p) != c.left || records(t, dir+"/state") != 0 {
				t.Errorf("left %v, records %d", exists(p), records(t, dir+"/state"))
			}
		})
	}
}

// TestOwnerKilledLeavesNames: what a command made under a name that is moved
// away, when caisson was killed before it saw it, is moved away later. What the
// user makes after that stays.
func TestOwnerKilledLeavesNames(t *testing.T) {
	t.Parallel()
	for name, guarded := range map[string]bool{"owner killed": true, "guardian killed too": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left := 0
			for range 10 {
				ws, state := repository(t)
				cmd, guardian := owner(t, ws, state, envPlant+"=1")
				eventually(t, "the command runs", func() bool { return exists(ws + "/made") })
				eventually(t, "the name is there or was moved", func() bool { return exists(ws+"/.envrc") || exists(state+"/quarantine") })
				if !guarded {
					_ = unix.Kill(guardian, unix.SIGKILL)
					ended(t, guardian)
				}
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				ended(t, guardian)
				time.Sleep(dyingTime)
				planted := exists(ws+"/.envrc") || exists(ws+"/.vscode")
				byUser := guarded && !exists(ws+"/.vscode")
				if byUser {
					if err := os.Mkdir(ws+"/.vscode", 0o755); err != nil {
						t.Fatal(err)
					}
				}
				if planted {
					left++
				}
				var found findings
				if err := Collect(state, found.add); err != nil {
					t.Fatal(err)
				}
				if exists(ws+"/.envrc") || exists(ws+"/.vscode") != byUser || records(t, state) != 0 {
					t.Errorf("after Collect: .envrc %v, .vscode %v made by the user %v, records %d", exists(ws+"/.envrc"), exists(ws+"/.vscode"), byUser, records(t, state))
				}
				if moved := found.of(diag.Quarantined); planted != (len(moved) > 0) {
					t.Errorf("planted %v, findings: %v", planted, found.all)
				}
			}
			t.Logf("%d of 10 left something", left)
			if left == 0 {
				t.Error("nothing is ever left, so this test tests nothing")
			}
		})
	}
}
