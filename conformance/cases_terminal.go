// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

const meansTTY = "A command can type into the terminal that it shares with its user: the shell runs the words when the sandbox is gone."

// screen is a pseudo-terminal of the suite's and what was written to it.
type screen struct {
	master, slave *os.File

	mu   sync.Mutex
	text bytes.Buffer
}

// screen makes a pseudo-terminal of 80 by 24.
func (t *T) screen() *screen {
	master, slave, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo-terminal can be made: %v", err)
	}
	t.must(pty.Setsize(master, &pty.Winsize{Cols: 80, Rows: 24}))
	s := &screen{master: master, slave: slave}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			s.mu.Lock()
			s.text.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { slave.Close(); master.Close() })
	return s
}

// shows reports whether a text comes to the screen within some seconds.
func (s *screen) shows(text string) bool {
	for range 500 {
		if strings.Contains(s.all(), text) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func (s *screen) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.text.String(), "\r\n", "\n")
}

// startOn starts a role of the helper in the foreground of a terminal.
func (t *T) startOn(s *screen, args ...string) *Inside {
	t.Apart()
	t.Open()
	return t.StartWith(Command{Stdin: s.slave, Stdout: s.slave, Stderr: s.slave, Terminal: true}, "terminal", args...)
}

func terminalCases() []Case {
	needs := []Need{NeedLinux, NeedTerminal}
	inject := func(id, title, seen, garbage string) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.TTYNoInject, Clause: string(guarantee.TTYNoInject),
			Requirement: Must, Needs: needs, Meaning: meansTTY, Seen: seen, hostMay: true, run: func(t *T) {
				s := t.screen()
				t.must(rawMode(s.slave))
				t.startOn(s, "type", "bait", garbage)
				if !s.shows("done") {
					t.Fatal("the helper did not try: %q", oneLine(s.all()))
				}
				t.Harm(waitingInput(s.slave) > 0, "what was typed waits for the user's shell")
			}}
	}
	return []Case{
		inject("tty-01", "type into the terminal", "CVE-2017-5226 (bubblewrap)", "0"),
		inject("tty-02", "type into the terminal with garbage in the request's upper half", "CVE-2019-10063 (Flatpak): 64 bits were compared", "0x100000000"),
		{ID: "tty-03", Title: "write to another terminal of the user's", Guarantee: guarantee.TTYNoInject, Clause: string(guarantee.TTYNoInject),
			Requirement: Must, Needs: needs, Meaning: meansTTY, Seen: "escape sequences can make a terminal answer", run: func(t *T) {
				s := t.screen()
				secret := t.Secret()
				t.Do(act.Request{Op: "overwrite", Path: s.slave.Name(), Data: secret + "\n"})
				// What the suite writes itself comes after it.
				own := t.Secret()
				_, err := s.slave.WriteString(own + "\n")
				t.must(err)
				if !s.shows(own) {
					t.Fatal("the terminal does not show what is written to it")
				}
				t.Harm(strings.Contains(s.all(), secret), "the text came to the terminal %s", s.slave.Name())
			}},
	}
}

func terminalDuties() []Case {
	duty := func(id, title string, run func(*T)) Case {
		return Case{ID: id, Title: title, Clause: "duties", Requirement: Must, Needs: []Need{NeedUnix, NeedTerminal},
			Meaning: "Programs that draw, ask or watch keys do not work inside: editors, shells, progress bars, test runners.", run: run}
	}
	return []Case{
		duty("terminal-01", "the streams of a terminal are a terminal", func(t *T) {
			s := t.screen()
			t.startOn(s)
			t.Want(s.shows("true true true"), "the helper saw %q", oneLine(s.all()))
		}),
		duty("terminal-02", "the size of the window is known", func(t *T) {
			s := t.screen()
			t.startOn(s)
			t.Want(s.shows("80x24"), "the helper saw %q", oneLine(s.all()))
		}),
		duty("terminal-03", "a change of the window's size is told", func(t *T) {
			s := t.screen()
			t.startOn(s, "size")
			if !s.shows("ready") {
				t.Want(false, "the helper did not start: %q", oneLine(s.all()))
				return
			}
			t.must(pty.Setsize(s.master, &pty.Winsize{Cols: 132, Rows: 50}))
			t.Want(s.shows("now 132x50"), "the helper saw %q", oneLine(s.all()))
		}),
		duty("terminal-04", "Ctrl-C ends the command", func(t *T) {
			s := t.screen()
			h := t.startOn(s, "wait")
			if !s.shows("ready") {
				t.Want(false, "the helper did not start: %q", oneLine(s.all()))
				return
			}
			_, err := s.master.Write([]byte{3})
			t.must(err)
			ended := make(chan Exit, 1)
			go func() { e, _ := h.wait(); ended <- e }()
			select {
			case e := <-ended:
				t.Want(e.Code == 130, "the status is %d instead of 130", e.Code)
			case <-time.After(3 * time.Second):
				t.Want(false, "the command goes on")
			}
		}),
		duty("terminal-05", "the command is the foreground job", func(t *T) {
			s := t.screen()
			t.startOn(s, "foreground")
			t.Want(s.shows("foreground true"), "the helper saw %q", oneLine(s.all()))
		}),
	}
}
