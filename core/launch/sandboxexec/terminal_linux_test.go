// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// The tests of terminals need a caller that is a job of a shell, or leads a
// session, so the caller is a process of its own: the driver. It catches what
// the command line catches. What they show is what the shared code does on
// Linux; how macOS answers the same calls was not seen.

const driveWord = "drive-a-box"

// driven is what the driver is told.
type driven struct {
	Program, State, Temp string
	Script               string
	Background           bool   // Foreground is not asked for
	Missing              bool   // the command does not exist
	Outcome              string // file for what the driver says at the end
}

// drive opens a box, runs a script in it and says how it ended.
func drive(text string) int {
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGTERM)
	var d driven
	outcome, err := "", json.Unmarshal([]byte(text), &d)
	if err == nil {
		outcome, err = d.run()
	}
	if err != nil {
		outcome = err.Error()
	}
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	outcome += fmt.Sprintf(", terminal back: %t", err == nil && group == unix.Getpgrp())
	fmt.Println("driver: " + outcome)
	if os.WriteFile(d.Outcome+".new", []byte(outcome), 0o600) != nil || os.Rename(d.Outcome+".new", d.Outcome) != nil {
		return 1
	}
	return 0
}

func (d *driven) run() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	b, err := Open(&plan.Plan{Steps: []plan.Step{
		plan.TempDir{Parent: d.Temp}, plan.Seatbelt{Profile: "(version 1)", Network: "none"},
	}}, Options{Program: d.Program, Stage: self, StateDir: d.State, Patience: time.Minute, System: procFS{}})
	if err != nil {
		return "", err
	}
	shell := "/bin/sh"
	if d.Missing {
		shell = "/nonexistent"
	}
	p, err := b.Start(context.Background(), Command{
		Path: shell, Args: []string{"sh", "-c", d.Script}, Env: os.Environ(), Dir: "/",
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Foreground: !d.Background,
	})
	if err != nil {
		return "", errors.Join(errors.New("not started"), b.Close())
	}
	status, _, err := p.Wait()
	if status.Signaled() {
		return fmt.Sprintf("signal %d", status.Signal()), errors.Join(err, b.Close())
	}
	return fmt.Sprintf("status %d", status.ExitStatus()), errors.Join(err, b.Close())
}

// console is a terminal with a driver, or a shell that starts one, and what
// both wrote to it.
type console struct {
	*scene
	tty     *os.File
	outcome string
	cmd     *exec.Cmd

	mu   sync.Mutex
	text string
}

// newConsole starts a driver as the leader of a session or, where under a shell,
// a shell of which the line that it prints starts one.
func newConsole(t *testing.T, d driven, underShell bool) *console {
	t.Helper()
	s := newScene(t, "confine")
	c := &console{scene: s, outcome: filepath.Join(filepath.Dir(s.state), "outcome")}
	d.Program, d.State, d.Temp, d.Outcome = s.options.Program, s.state, s.temp, c.outcome
	order, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	c.cmd = exec.Command(s.options.Stage, driveWord, string(order))
	if underShell {
		shell, err := exec.LookPath("bash")
		if err != nil {
			t.Skip("bash is not installed")
		}
		drive := filepath.Join(filepath.Dir(s.state), "drive")
		if err := os.WriteFile(drive+".json", order, 0o600); err != nil {
			t.Fatal(err)
		}
		script := "#!/bin/sh\nexec '" + s.options.Stage + "' " + driveWord + " \"$(cat '" + drive + ".json')\"\n"
		if err := os.WriteFile(drive, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		c.cmd = exec.Command(shell, "--norc", "--noprofile", "--noediting", "-i")
		c.cmd.Env = append(os.Environ(), "PS1=prompt> ", "HISTFILE=", "DRIVE="+drive)
	}
	tty, err := pty.StartWithSize(c.cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	// A file that blocks is closed only when nobody reads from it.
	fd, err := unix.FcntlInt(tty.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	tty.Close()
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.tty = os.NewFile(uintptr(fd), "terminal")
	t.Cleanup(func() {
		c.tty.Close()
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := c.tty.Read(b)
			c.mu.Lock()
			c.text += string(b[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	if underShell {
		c.expect(t, "prompt> ")
	}
	return c
}

// expect waits for a text, and forgets what stands before and in it.
func (c *console) expect(t *testing.T, want string) {
	t.Helper()
	for range 3000 {
		c.mu.Lock()
		_, after, ok := strings.Cut(c.text, want)
		if ok {
			c.text = after
		}
		c.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Fatalf("the terminal shows %q, want %q", c.text, want)
}

func (c *console) write(t *testing.T, keys string) {
	t.Helper()
	if _, err := c.tty.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// stop presses Ctrl-Z and waits for the shell.
func (c *console) stop(t *testing.T) {
	t.Helper()
	c.write(t, "\x1a")
	c.expect(t, "Stopped")
	c.expect(t, "prompt> ")
}

// foreground has the shell bring its job to the foreground.
func (c *console) foreground(t *testing.T) {
	t.Helper()
	c.write(t, "fg\n")
	c.expect(t, "fg\r\n")
	c.expect(t, "$DRIVE") // behind a prompt that the shell was late with, maybe
}

// ended wants the driver to end and say so.
func (c *console) ended(t *testing.T, want string) {
	t.Helper()
	for range 3000 {
		if text, err := os.ReadFile(c.outcome); err == nil {
			if string(text) != want {
				t.Errorf("the driver says %q, want %q", text, want)
			}
			c.clean(t)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Fatalf("the driver does not end; the terminal shows %q", c.text)
}

const back = ", terminal back: true"

// group says whether the command leads a process group and that has the terminal.
const group = `read -r pid comm state parent pgrp session tty foreground rest </proc/$$/stat; echo "leads $((pgrp==$$)) has $((foreground==$$))"; `

func TestTerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		d          driven
		do         func(t *testing.T, c *console)
		want, back string
	}{
		"group": {driven{Script: group + "test -t 0 && test -t 1 && stty size; exit 7"},
			func(t *testing.T, c *console) { c.expect(t, "leads 1 has 1\r\n24 80") }, "status 7", back},
		"not foreground": {driven{Background: true, Script: group + "exit 3"},
			func(t *testing.T, c *console) { c.expect(t, "leads 1 has 0") }, "status 3", back},
		"not started": {driven{Missing: true}, func(*testing.T, *console) {}, "not started", back},
		"resize": {driven{Script: "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.02; done"},
			func(t *testing.T, c *console) {
				c.expect(t, "ready")
				if err := pty.Setsize(c.tty, &pty.Winsize{Rows: 50, Cols: 132}); err != nil {
					t.Fatal(err)
				}
				c.expect(t, "50 132")
			}, "status 0", back},
		"interrupt": {driven{Script: "echo ready; exec sleep 1000"},
			func(t *testing.T, c *console) { c.expect(t, "ready"); c.write(t, "\x03") }, "signal 2", back},
		"quit": {driven{Script: "ulimit -c 0; echo ready; exec sleep 1000"},
			func(t *testing.T, c *console) { c.expect(t, "ready"); c.write(t, "\x1c") }, "signal 3", back},
		"killed": {driven{Script: "kill -9 $$"}, func(*testing.T, *console) {}, "signal 9", back},
		// A session leader has no shell that could have it go on.
		"stop without a shell": {driven{Script: "echo ready; read x; echo got $x"},
			func(t *testing.T, c *console) {
				c.expect(t, "ready")
				c.write(t, "\x1a")
				time.Sleep(100 * time.Millisecond) // or the key is read before it stops
				c.write(t, "hello\n")
				c.expect(t, "got hello")
			}, "status 0", back},
		"hang-up": {driven{Script: "trap 'exit 9' HUP; echo ready; while :; do sleep 0.02; done"},
			func(t *testing.T, c *console) { c.expect(t, "ready"); c.tty.Close() }, "status 9", ", terminal back: false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newConsole(t, c.d, false)
			c.do(t, s)
			s.ended(t, c.want+c.back)
		})
	}
}

// TestNewSession wants a command to lead a session with a terminal of its own,
// and the profile to be about that terminal.
func TestNewSession(t *testing.T) {
	t.Parallel()
	s := newScene(t, "confine")
	master, slave, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo-terminal can be made")
	}
	defer master.Close()
	b := s.open(t)
	p, err := b.Start(context.Background(), Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", group + "read -r x </dev/tty; echo got $x"}, Env: os.Environ(), Dir: "/",
		Files: []*os.File{slave, slave, slave}, NewSession: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	args, err := os.ReadFile(s.record)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(args), "\n-DTTY="+slave.Name()+"\n") {
		t.Errorf("arguments %q, want the terminal %s", args, slave.Name())
	}
	slave.Close()
	if _, err := master.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(master) // ends with EIO
	for _, want := range []string{"leads 1 has 1", "got hello"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the terminal shows %q, want %q", text, want)
		}
	}
	if status, _, err := p.Wait(); err != nil || status.ExitStatus() != 0 {
		t.Errorf("status %v, %v", status, err)
	}
}

// TestModes wants the terminal to be as it was before a command that left it
// raw, and the caller to get its keys again.
func TestModes(t *testing.T) {
	t.Parallel()
	c := newConsole(t, driven{Script: "stty raw -echo; stty -a; echo ready; read x"}, true)
	c.write(t, "stty sane; $DRIVE; stty -a\n")
	c.expect(t, "-icanon")
	c.expect(t, "ready")
	c.write(t, "\n")
	c.expect(t, " icanon")
	c.ended(t, "status 0"+back)
}
