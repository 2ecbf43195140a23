// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestResultForged: a command finds no descriptor but its own three, and cannot write
// the result that caisson writes of it. A plain child that has the descriptor can.
func TestResultForged(t *testing.T) {
	t.Parallel()
	dir, outside := workspace(t), workspace(t)
	name := startSession(t, dir)
	forge := `for n in $(ls /proc/self/fd); do test $n -gt 2 && { echo forged >&$n; } 2>/dev/null; done; exit 4`
	for _, c := range []struct {
		name string
		argv []string
	}{
		{"control", []string{"bash", "-c", "echo forged >&5"}}, // not to what this test has inherited
		{"run", []string{program(), "run", "-w", dir, "--result", "fd:5", "--", "bash", "-c", forge}},
		{"session run", []string{program(), "session", "run", "--result", "fd:5", name, "--", "bash", "-c", forge}},
		{"session run, a file", []string{program(), "session", "run", "--result", filepath.Join(outside, "file"), name, "--", "bash", "-c", forge}},
	} {
		path := filepath.Join(outside, "result")
		if strings.HasSuffix(c.name, "file") {
			path = filepath.Join(outside, "file")
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(c.argv[0], c.argv[1:]...)
		cmd.Dir = dir
		cmd.ExtraFiles = []*os.File{nil, nil, f} // 5
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run() // the status tells
		f.Close()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		forged := bytes.Contains(text, []byte("forged"))
		var result struct{ Exit struct{ Code int } }
		switch err := json.Unmarshal(text, &result); {
		case c.name == "control":
			if !forged {
				t.Errorf("control: %q %s", text, &out)
			}
		case forged || err != nil || result.Exit.Code != 4 || cmd.ProcessState.ExitCode() != 4:
			t.Errorf("%s: %q %v %v %s", c.name, text, err, cmd.ProcessState, &out)
		}
	}
}

// TestDescriptors: a command has the descriptors that are its own, however many
// others run at the same time; what the server holds open for them is not among them.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	outputs := newOutputs()
	s := startServer(t, program(), outputs.take)
	one, two := s.open(t, workspace(t)), s.open(t, workspace(t))
	const list = `for f in /proc/self/fd/*; do n=${f##*/}; readlink $f >/dev/null && echo $n; done`
	if out, err := exec.Command("bash", "-c", "exec 7</dev/null; "+list).Output(); err != nil || !strings.Contains(string(out), "7\n") {
		t.Errorf("control: %q %v", out, err)
	}
	var ids []string
	for i := range 20 {
		box := []string{one, two}[i%2]
		var started struct {
			Command string `json:"command"`
		}
		if err := s.client.Call("command.start", map[string]any{"sandbox": box, "argv": []string{"bash", "-c", list + "; read x"}, "stdin": true}, &started); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, started.Command)
	}
	for _, id := range ids {
		if err := s.client.Call("command.stdin", map[string]any{"command": id, "eof": true}, nil); err != nil {
			t.Error(err)
		}
		if err := s.client.Call("command.wait", map[string]string{"command": id}, nil); err != nil {
			t.Error(err)
		}
		if text := outputs.of(id); text != "0\n1\n2\n" {
			t.Errorf("%s has %q", id, text)
		}
	}
}

// TestTypedOutside: a command of a session cannot type into the terminal of who runs it,
// neither while it runs nor by what it leaves behind. A plain child can, as root.
func TestTypedOutside(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: newer kernels let root alone type into a terminal")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the attack is written in Python")
	}
	name := startSession(t, workspace(t))
	typing := `
import fcntl, os, termios
for fd in [0, 1, 2] + [os.open("/dev/tty", os.O_RDWR)]:
    for c in b"typed\n":
        try: fcntl.ioctl(fd, termios.TIOCSTI, bytes([c]))
        except OSError: pass`
	for _, c := range []struct {
		name, run string
		typed     bool
	}{
		{"control", `python3 -c "$T"`, true},
		{"session run", `"$P" session run "$N" -- python3 -c "$T"`, false},
		{"left behind", `"$P" session run "$N" -- sh -c 'trap "" HUP; (sleep 0.2; python3 -c "$1") & :' sh "$T"; sleep 0.5`, false},
	} {
		cmd := exec.Command("bash", "-c", c.run+`; read -t 0.2 x; echo "read <$x>"; read -t 60 y; echo "then <$y>"`)
		cmd.Env = append(os.Environ(), "P="+program(), "N="+name, "T="+typing)
		tty, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		screen := newScreen(tty)
		eventually(t, "the shell outside reads", func() bool { return strings.Contains(screen.text(), "read <") })
		if _, err := tty.WriteString("real\r"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it reads what was typed", func() bool { return strings.Contains(screen.text(), "then <") })
		_ = cmd.Wait() // the screen tells
		tty.Close()
		if typed := strings.Contains(screen.text(), "read <typed>") || strings.Contains(screen.text(), "then <typed>"); typed != c.typed {
			t.Errorf("%s: %q", c.name, screen.text())
		}
	}
}
