// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"strings"
	"testing"
	"time"
)

// TestJobs has a shell stop the caller and have it go on.
func TestJobs(t *testing.T) {
	t.Parallel()
	const reader = "echo ready; read x; echo got $x; exit 5"
	for name, c := range map[string]struct {
		script, want string
		do           func(t *testing.T, c *console)
	}{
		"stop and fg": {reader, "status 5" + back, func(t *testing.T, c *console) {
			c.write(t, "$DRIVE\n")
			c.expect(t, "ready")
			c.stop(t)
			c.write(t, "echo $((6*7))\n")
			c.expect(t, "42\r\n")
			c.foreground(t)
			c.write(t, "hello\n")
			c.expect(t, "got hello")
		}},
		"stopped twice": {reader, "status 5" + back, func(t *testing.T, c *console) {
			c.write(t, "$DRIVE\n")
			c.expect(t, "ready")
			for range 2 {
				c.stop(t)
				c.foreground(t)
				time.Sleep(100 * time.Millisecond) // the key is the command's, not the shell's
			}
			c.write(t, "hello\n")
			c.expect(t, "got hello")
		}},
		// After bg the terminal is the shell's and stays so when the command ends.
		// The script starts nothing: a shell that does cannot stop while it waits
		// for a child of vfork(2) that was stopped before it.
		"stop and bg": {"echo ready; i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; exit 6", "status 6, terminal back: false", func(t *testing.T, c *console) {
			c.write(t, "$DRIVE\n")
			c.expect(t, "ready")
			c.stop(t)
			c.write(t, "bg\n")
			c.write(t, "cat\n")
			c.expect(t, "driver: status 6")
			c.write(t, "still here\n\x04")
			c.expect(t, "still here\r\nstill here")
			c.write(t, "echo $((6*7))\n")
			c.expect(t, "42\r\n")
		}},
		// Started in the background, it stops when it reads, and gets the terminal
		// with the caller.
		"background and fg": {reader, "status 5" + back, func(t *testing.T, c *console) {
			c.write(t, "$DRIVE &\n")
			c.expect(t, "ready")
			for i := 0; ; i++ {
				c.write(t, "jobs\n")
				c.expect(t, "[1]+ ")
				c.mu.Lock()
				stopped := strings.HasPrefix(strings.TrimSpace(c.text), "Stopped")
				c.mu.Unlock()
				if stopped {
					break
				}
				if i > 300 {
					t.Fatal("the job does not stop")
				}
				time.Sleep(10 * time.Millisecond)
			}
			c.foreground(t)
			c.write(t, "hello\n")
			c.expect(t, "got hello")
		}},
		// Brought to the foreground before it reads.
		"background, fg, read": {"echo ready; sleep 0.5; read x; echo got $x; exit 5", "status 5" + back, func(t *testing.T, c *console) {
			c.write(t, "$DRIVE &\n")
			c.expect(t, "ready")
			c.foreground(t)
			c.write(t, "hello\n")
			c.expect(t, "got hello")
		}},
		"hang-up": {"trap 'exit 9' HUP; echo ready; while :; do sleep 0.02; done", "status 9, terminal back: false", func(t *testing.T, c *console) {
			c.write(t, "$DRIVE\n")
			c.expect(t, "ready")
			c.tty.Close()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newConsole(t, driven{Script: c.script}, true)
			c.do(t, s)
			s.ended(t, c.want)
		})
	}
}
