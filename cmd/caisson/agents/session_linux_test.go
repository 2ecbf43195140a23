// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// caisson runs the command and gives its output and status.
func caisson(t testing.TB, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command(program(), args...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	cmd.WaitDelay = patience
	_ = cmd.Run() // the status tells
	return strings.TrimSpace(text.String()), cmd.ProcessState.ExitCode()
}

// startSession starts a session that the test ends.
func startSession(t testing.TB, dir string, flags ...string) string {
	t.Helper()
	name, status := caisson(t, append([]string{"session", "start", "--owner", strconv.Itoa(os.Getpid()), "-w", dir}, flags...)...)
	if status != 0 {
		t.Fatal(name)
	}
	t.Cleanup(func() { caisson(t, "session", "end", name) })
	return name
}

// sessions is the directory of the sessions.
func sessions() string { return filepath.Join(os.Getenv("HOME"), ".local/state/caisson/sessions") }

// alive reports whether a process lives.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := text[bytes.LastIndexByte(text, ')')+2]
	return state != 'Z' && state != 'X'
}

// holder is the process that holds a session.
func holder(t testing.TB, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sessions(), name+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	var info struct{ Pid int }
	if err := json.Unmarshal(text, &info); err != nil {
		t.Fatal(err)
	}
	return info.Pid
}

// marked lists processes whose command line holds a mark.
func marked(mark string) []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil && bytes.Contains(text, []byte(mark)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if alive(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// TestSessionDay is the agent's day on the command line.
func TestSessionDay(t *testing.T) {
	t.Parallel()
	dir, outside := workspace(t), workspace(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the server of the day needs python3")
	}
	name := startSession(t, dir)
	in := func(args ...string) (string, int) {
		return caisson(t, append([]string{"session", "run", name, "--"}, args...)...)
	}
	// a server in the background, asked by the next command
	if out, status := in("sh", "-c", `python3 -u -m http.server -b 127.0.0.1 0 >/tmp/log 2>&1 </dev/null & until grep -q port /tmp/log; do sleep 0.05; done`); status != 0 {
		t.Fatal(out)
	}
	ask := `curl -sf -o /dev/null -w '%{http_code}' http://127.0.0.1:$(sed -n 's/.*port \([0-9]*\).*/\1/p' /tmp/log)/`
	if out, status := in("sh", "-c", ask); status != 0 || out != "200" {
		t.Errorf("%q, %d", out, status)
	}
	if _, status := in("sh", "-c", "exit 3"); status != 3 {
		t.Errorf("status %d, want 3", status)
	}
	if _, status := caisson(t, "session", "run", "--timeout", "100ms", name, "--", "sleep", "1000"); status != 124 {
		t.Errorf("status %d, want 124", status)
	}
	// an interactive one
	cmd := exec.Command(program(), "session", "run", name, "--", "sh", "-c", `read x; stty size; test -t 1 && sh -c 'echo tty $0 >/dev/tty' "$x"; exit 6`)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 33, Cols: 99})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(tty, "typed\r"); err != nil {
		t.Fatal(err)
	}
	screen, _ := io.ReadAll(tty) // ends with EIO
	tty.Close()
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 6 || !strings.Contains(string(screen), "33 99") || !strings.Contains(string(screen), "tty typed") {
		t.Errorf("%v, %q", err, screen)
	}
	// 200 at once
	var many sync.WaitGroup
	outs := make([]string, 200)
	slots := make(chan struct{}, 20) // programs that start at the same time
	for i := range outs {
		many.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			outs[i], _ = in("echo", strconv.Itoa(i))
		})
	}
	many.Wait()
	for i, out := range outs {
		if out != strconv.Itoa(i) {
			t.Errorf("%q, want %d", out, i)
		}
	}
	// one that is denied, granted, and run again in another session
	target := filepath.Join(outside, "file")
	if _, status := in("sh", "-c", `echo hi > "$0"`, target); status == 0 {
		t.Error("the write was not denied")
	}
	text, _ := caisson(t, "explain", "--json", "-w", dir, outside)
	var answer struct{ Grant struct{ Args []string } }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Grant.Args) == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	granted := startSession(t, dir, answer.Grant.Args...)
	if out, status := caisson(t, "session", "run", granted, "--", "sh", "-c", `echo hi > "$0"`, target); status != 0 {
		t.Error(out)
	}
}

// TestSessionEnds: by its owner's death, its holder's death, and two at once, and
// nothing is left.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	leave := func(t *testing.T, name, mark string) {
		t.Helper()
		if out, status := caisson(t, "session", "run", name, "--", "sh", "-c", "setsid sleep "+mark+" >/dev/null 2>&1 </dev/null &"); status != 0 {
			t.Fatal(out)
		}
		eventually(t, "it runs", func() bool { return len(marked(mark)) > 0 })
	}
	t.Run("owner", func(t *testing.T) {
		owner := exec.Command("sleep", "1000")
		if err := owner.Start(); err != nil {
			t.Fatal(err)
		}
		name, status := caisson(t, "session", "start", "-w", dir, "--owner", strconv.Itoa(owner.Process.Pid))
		if status != 0 {
			t.Fatal(name)
		}
		pid := holder(t, name)
		leave(t, name, "77711")
		if err := owner.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = owner.Wait() // killed
		eventually(t, "the holder and what was left are gone", func() bool { return !alive(pid) && len(marked("77711")) == 0 })
		if _, err := os.Stat(filepath.Join(sessions(), name+".lock")); !os.IsNotExist(err) {
			t.Errorf("the session's file: %v", err)
		}
	})
	t.Run("holder", func(t *testing.T) {
		name := startSession(t, dir)
		pid := holder(t, name)
		leave(t, name, "77722")
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "what was left is gone", func() bool { return !alive(pid) && len(marked("77722")) == 0 })
		// Its other threads may end a moment after the first one.
		eventually(t, "it is listed no more", func() bool {
			out, _ := caisson(t, "session", "list")
			return !strings.Contains(out, name)
		})
		if out, status := caisson(t, "session", "run", name, "--", "true"); status != 125 {
			t.Errorf("%d: %s", status, out)
		}
	})
	t.Run("two", func(t *testing.T) {
		name := startSession(t, dir)
		leave(t, name, "77733")
		var both sync.WaitGroup
		codes := make([]int, 2)
		for i := range codes {
			both.Go(func() { _, codes[i] = caisson(t, "session", "end", name) })
		}
		both.Wait()
		if codes[0] != 0 && codes[1] != 0 || len(marked("77733")) > 0 {
			t.Errorf("statuses %v", codes)
		}
	})
	t.Run("client", func(t *testing.T) {
		name := startSession(t, dir)
		cmd := exec.Command(program(), "session", "run", name, "--", "sh", "-c", "sleep 77744; true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it runs", func() bool { return len(marked("77744")) > 1 })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		eventually(t, "the command is gone with its client", func() bool { return len(marked("77744")) == 0 })
		if out, status := caisson(t, "session", "run", name, "--", "true"); status != 0 {
			t.Errorf("the session did not go on: %s", out)
		}
	})
	t.Run("signal", func(t *testing.T) {
		name := startSession(t, dir)
		cmd := exec.Command(program(), "session", "run", name, "--", "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 9 {
			t.Errorf("status %d, want that of the command's trap", cmd.ProcessState.ExitCode())
		}
	})
}

// TestSessionHidden: a command can neither reach the socket of its session or another
// one, nor see their names; outside both can be done.
func TestSessionHidden(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: it connects with python3")
	}
	dir := workspace(t)
	own, other := startSession(t, dir), startSession(t, dir)
	connect := func(name string) []string {
		return []string{"python3", "-c", "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])", filepath.Join(sessions(), name+".sock")}
	}
	for _, name := range []string{own, other} {
		args := connect(name)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("control: %v %s", err, out)
		}
		if out, status := caisson(t, append([]string{"session", "run", own, "--"}, args...)...); status == 0 {
			t.Errorf("the socket of %s was reached: %s", name, out)
		}
	}
	out, _ := caisson(t, "session", "run", own, "--", "sh", "-c", `ls -aR "$0"; cat "$0"/*; cat /proc/net/unix; cat /proc/*/cmdline /proc/*/environ`, sessions())
	if strings.Contains(out, other) || strings.Contains(out, ".sock") && strings.Contains(out, own+".sock") {
		t.Errorf("names of sessions are seen inside: %s", out)
	}
	listing, err := os.ReadDir(sessions())
	if err != nil || len(listing) < 4 {
		t.Errorf("control: %v, %v", listing, err)
	}
	if out, status := caisson(t, "session", "run", own, "--", program(), "session", "list"); status == 0 && strings.Contains(out, other) {
		t.Errorf("caisson inside lists %s", out)
	}
}

// TestSessionsApart: two sessions of one workspace see nothing of one another.
func TestSessionsApart(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	one, two := startSession(t, dir), startSession(t, dir)
	if out, status := caisson(t, "session", "run", one, "--", "sh", "-c", "echo kept > /tmp/secret; sleep 77755 >/dev/null 2>&1 </dev/null &"); status != 0 {
		t.Fatal(out)
	}
	look := `cat /tmp/secret; pgrep -f 7775[5] && echo seen; true`
	if out, _ := caisson(t, "session", "run", one, "--", "sh", "-c", look); !strings.Contains(out, "kept") || !strings.Contains(out, "seen") {
		t.Errorf("control: %s", out)
	}
	if out, _ := caisson(t, "session", "run", two, "--", "sh", "-c", look); strings.Contains(out, "kept") || strings.Contains(out, "seen") {
		t.Errorf("the other session sees %s", out)
	}
}

// TestSessionGarbage: a client that sends garbage, descriptors that nobody asked for,
// or half a message is dropped, keeps nothing open in the holder, and harms no other.
func TestSessionGarbage(t *testing.T) {
	t.Parallel()
	name := startSession(t, workspace(t))
	pid := holder(t, name)
	open := func() int {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	rights := unix.UnixRights(int(null.Fd()), int(null.Fd()), int(null.Fd()))
	hello := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":1}}` + "\n"
	send := func() {
		for _, text := range []string{
			"", "\x00\xff\n", strings.Repeat("x", 3<<20), "{", hello + `{"jsonrpc":"2.0","id":2,"method":"sandbox.close","params":{"sandbox":"` + name + `"}}` + "\n",
			hello + `{"jsonrpc":"2.0","id":2,"method":"command.start","params":{"sandbox":"` + name + `","argv":["true"],"descriptors":[0,1,2,3,4,5,6,7]}}` + "\n",
		} {
			socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(sessions(), name+".sock"), Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			for range 5 { // more than may come without being asked for
				if _, _, err := socket.WriteMsgUnix([]byte(" \n"), rights, nil); err != nil {
					break
				}
			}
			_, _ = io.WriteString(socket, text) // it may be dropped by now
			socket.Close()
		}
	}
	well := func() {
		if out, status := caisson(t, "session", "run", name, "--", "echo", "well"); status != 0 || out != "well" {
			t.Errorf("%d %s", status, out)
		}
	}
	before := open()
	for range 5 {
		send()
	}
	// 450 descriptors came in 30 connections. The first ones have the holder open a few
	// that it then keeps.
	eventually(t, "the holder has closed what came", func() bool { return open() <= before+8 })
	well()
}
