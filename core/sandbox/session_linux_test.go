// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestNewSession: a command with a terminal of its own has job control, knows
// the window's size, and is interrupted by the terminal's key.
func TestNewSession(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, nil, nil)
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := pty.Setsize(master, &pty.Winsize{Rows: 31, Cols: 97}); err != nil {
		t.Fatal(err)
	}
	cmd := sb.Command(t.Context(), "/bin/sh", "-c", `stty size; sh -c 'exit 5' </dev/tty; echo "tty $?"; sleep 1000`)
	cmd.Dir, cmd.NewSession = dir, true
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var text strings.Builder
	buf := make([]byte, 256)
	for !strings.Contains(text.String(), "tty 5") {
		n, err := master.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
	}
	if !strings.Contains(text.String(), "31 97") {
		t.Errorf("the size is %q", text.String())
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // an error, as the result tells
	for waiting := true; waiting; {
		// A shell that is between two commands may lose the key.
		if _, err := io.WriteString(master, "\x03"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
			waiting = false
		case <-time.After(100 * time.Millisecond):
		}
	}
	if r := cmd.Result(); r.Signal != 2 {
		t.Errorf("%+v, want to be interrupted", r)
	}
}
