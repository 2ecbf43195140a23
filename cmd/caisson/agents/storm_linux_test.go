// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/core/diag"
)

// started is what command.start answers.
type started struct {
	Command string `json:"command"`
	Pid     int    `json:"-"`
}

// start starts a command.
func (s *server) start(t testing.TB, params map[string]any) started {
	t.Helper()
	var c started
	if err := s.client.Call("command.start", params, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// refusedWith reports whether a call was refused with a code.
func refusedWith(err error, code diag.Code) bool {
	d, ok := errors.AsType[*diag.Diagnostic](err)
	return ok && d.Code == code
}

// TestDeaf: a command that fills its output, and reads nothing of what it is sent,
// holds up no other; what waits for it is bounded.
func TestDeaf(t *testing.T) {
	t.Parallel()
	outputs := newOutputs()
	s := startServer(t, program(), outputs.take)
	id := s.open(t, workspace(t))
	deaf := s.start(t, map[string]any{"sandbox": id, "argv": []string{"sh", "-c", "exec yes 77811"}, "stdin": true, "window": 1 << 16})
	eventually(t, "its window is full", func() bool { return len(outputs.of(deaf.Command)) == 1<<16 })
	full := make([]byte, 256<<10)
	var waiting sync.WaitGroup
	refused := make(chan error, 20)
	for range 20 {
		waiting.Go(func() {
			err := s.client.Call("command.stdin", map[string]any{"command": deaf.Command, "data": full}, nil)
			if err != nil {
				refused <- err
			}
		})
	}
	if err := <-refused; !refusedWith(err, diag.TooMany) {
		t.Errorf("%v", err)
	}
	for i := range 5 {
		if out := s.run(t, outputs, id, "echo", strconv.Itoa(i)); out != strconv.Itoa(i)+"\n" {
			t.Errorf("another command: %q", out)
		}
	}
	if n := len(outputs.of(deaf.Command)); n != 1<<16 {
		t.Errorf("%d bytes are beyond its window", n-1<<16)
	}
	if err := s.client.Call("command.more", map[string]any{"command": deaf.Command, "bytes": 4096}, nil); err != nil {
		t.Error(err)
	}
	eventually(t, "control: given room it writes on", func() bool { return len(outputs.of(deaf.Command)) == 1<<16+4096 })
	if err := s.client.Call("sandbox.close", map[string]string{"sandbox": id}, nil); err != nil {
		t.Error(err)
	}
	waiting.Wait()
	if left := marked("77811"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestTooMany: commands, requests and sandboxes are bounded, each with an error that
// says so, and there is room again when some have ended.
func TestTooMany(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED: it starts 512 commands")
	}
	s := startServer(t, program(), nil)
	id := s.open(t, workspace(t))
	params := map[string]any{"sandbox": id, "argv": []string{"true"}}
	var commands []started
	for range serve.MaxCommands {
		commands = append(commands, s.start(t, params))
	}
	if err := s.client.Call("command.start", params, nil); !refusedWith(err, diag.TooMany) {
		t.Errorf("one more: %v", err)
	}
	for _, c := range commands[:3] {
		if err := s.client.Call("command.wait", c, nil); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "there is room again", func() bool {
		err := s.client.Call("command.start", params, nil)
		if err != nil && !refusedWith(err, diag.TooMany) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// TestResizeStorm: a window that changes thousands of times, also to what is none,
// leaves the command with its last size, and with its output.
func TestResizeStorm(t *testing.T) {
	t.Parallel()
	outputs := newOutputs()
	s := startServer(t, program(), outputs.take)
	id := s.open(t, workspace(t))
	c := s.start(t, map[string]any{
		"sandbox": id, "tty": map[string]int{"rows": 10, "cols": 10},
		"argv": []string{"sh", "-c", `echo ready; read x; stty size`},
	})
	eventually(t, "it is ready", func() bool { return strings.Contains(outputs.of(c.Command), "ready") })
	resize := func(rows, cols int) error {
		return s.client.Call("command.resize", map[string]any{"command": c.Command, "rows": rows, "cols": cols}, nil)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				if err := resize(1+i, 1+i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, bad := range [][2]int{{0, 1}, {1, 0}, {-1, 1}, {1 << 16, 1}, {1, 1 << 40}} {
		if err := resize(bad[0], bad[1]); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	if err := resize(65535, 123); err != nil {
		t.Error(err)
	}
	if err := s.client.Call("command.stdin", map[string]any{"command": c.Command, "data": []byte("x\n")}, nil); err != nil {
		t.Error(err)
	}
	if err := s.client.Call("command.wait", c, nil); err != nil {
		t.Error(err)
	}
	if text := outputs.of(c.Command); !strings.Contains(text, "65535 123") {
		t.Errorf("%q", text)
	}
}

// TestResizeStormOutside: so it is with the terminal of session run.
func TestResizeStormOutside(t *testing.T) {
	t.Parallel()
	name := startSession(t, workspace(t))
	cmd := exec.Command(program(), "session", "run", name, "--", "sh", "-c", `echo ready; read x; until test "$(stty size)" = "44 55"; do sleep 0.02; done`)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 5, Cols: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	screen := newScreen(tty)
	eventually(t, "it is ready", func() bool { return strings.Contains(screen.text(), "ready") })
	for i := range 2000 {
		if err := pty.Setsize(tty, &pty.Winsize{Rows: uint16(1 + i%100), Cols: uint16(1 + i%200)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 44, Cols: 55}); err != nil {
		t.Fatal(err)
	}
	// The last change comes by a signal: the command looks until it has it.
	if _, err := io.WriteString(tty, "x\r"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v %q", err, screen.text())
	}
}

// screen is what was written on a terminal.
type screen struct{ outputs }

func newScreen(tty io.Reader) *screen {
	s := &screen{outputs{text: map[string]string{}}}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			s.take("", "", buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) text() string { return s.of("") }

// TestReused: a signal to a command that has ended reaches nobody, also where its
// number belongs to another process by then; while it lives it is reached.
func TestReused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can choose the next number of a process")
	}
	dir := workspace(t)
	// In a pid namespace of its own the next number can be chosen, see
	// pid_namespaces(7).
	script := `
import ctypes, json, os, signal, subprocess, sys
program, dir = sys.argv[1:]
s = subprocess.Popen([program, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
count = 0
def call(method, **params):
    global count
    count += 1
    s.stdin.write(json.dumps({"jsonrpc": "2.0", "id": count, "method": method, "params": params}).encode() + b"\n")
    s.stdin.flush()
    while True:
        m = json.loads(s.stdout.readline())
        if m.get("id") == count: return m
def victim(pid):
    for _ in range(1000):
        open("/proc/sys/kernel/ns_last_pid", "w").write(str(pid - 1))
        p = subprocess.Popen(["sleep", "1000"])
        if p.pid == pid: return p
        p.kill(); p.wait()
    sys.exit("the number was never free")
call("initialize", protocol=1)
box = call("sandbox.open", workspace=[dir])["result"]["sandbox"]
for how in ("TERM", "KILL"):
    c = call("command.start", sandbox=box, argv=["sleep", "1000"])["result"]
    call("command.signal", command=c["command"], signal=how)
    w = call("command.wait", command=c["command"])["result"]
    print("lives", how, w["exit"]["signal"])
    # ended, and not waited for by the client
    c = call("command.start", sandbox=box, argv=["true"])["result"]
    while os.path.exists("/proc/%d" % c["pid"]): pass
    p = victim(c["pid"])
    call("command.signal", command=c["command"], signal=how)
    call("command.wait", command=c["command"])
    call("command.signal", command=c["command"], signal=how)
    print("reused", how, p.poll())
    os.kill(c["pid"], signal.SIGKILL)
    print("control", how, p.wait())
s.stdin.close()
s.wait()
`
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "python3", "-c", script, program(), dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "unshare:") {
			t.Skipf("SKIPPED: no pid namespace can be made: %s", out)
		}
		t.Fatalf("%v %s", err, out)
	}
	want := ""
	for _, how := range []struct {
		name string
		n    int
	}{{"TERM", 15}, {"KILL", 9}} {
		want += fmt.Sprintf("lives %s %d\nreused %s None\ncontrol %s -9\n", how.name, how.n, how.name, how.name)
	}
	if string(out) != want {
		t.Errorf("%s, want %s", out, want)
	}
}
