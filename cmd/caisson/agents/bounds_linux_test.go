// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestServeFlood: a client that does not read stops what writes; memory does not grow,
// and its end is the end of all.
func TestServeFlood(t *testing.T) {
	t.Parallel()
	s := startRaw(t, program())
	dir := workspace(t)
	for _, line := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":1}}`,
		`{"jsonrpc":"2.0","id":2,"method":"sandbox.open","params":{"workspace":["` + dir + `"]}}`,
	} {
		fmt.Fprintln(s.in, line)
	}
	buf := make([]byte, 64<<10)
	for text := ""; !strings.Contains(text, `"sandbox":"s1"`); {
		n, err := s.out.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		text += string(buf[:n])
	}
	fmt.Fprintln(s.in, `{"jsonrpc":"2.0","id":3,"method":"command.start","params":{"sandbox":"s1","argv":["yes","77766"]}}`)
	eventually(t, "it writes", func() bool { return len(marked("77766")) > 0 })
	memory := func() int {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		var size, resident int
		fmt.Sscan(string(text), &size, &resident)
		return resident * os.Getpagesize()
	}
	before := memory()
	time.Sleep(time.Second) // in which it could write gigabytes
	if after := memory(); after > before+16<<20 {
		t.Errorf("the memory grew from %d to %d", before, after)
	}
	s.out.Close()
	s.wait(t)
	eventually(t, "what wrote is gone", func() bool { return len(marked("77766")) == 0 })
}

// TestServeGrowth: 1,000 commands in a row leave no descriptor, thread or mount, and
// no memory to speak of.
func TestServeGrowth(t *testing.T) {
	t.Parallel()
	s := startServer(t, program(), nil)
	id := s.open(t, workspace(t))
	run := func(n int) {
		for range n {
			var started struct {
				Command string `json:"command"`
			}
			if err := s.client.Call("command.start", map[string]any{"sandbox": id, "argv": []string{"/bin/true"}}, &started); err != nil {
				t.Fatal(err)
			}
			if err := s.client.Call("command.wait", started, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func(what string) int {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, what))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	resident := func() int {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
		var size, pages int
		fmt.Sscan(string(text), &size, &pages)
		return pages * os.Getpagesize()
	}
	mounts := func() int {
		text, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(text, []byte(os.Getenv(base)))
	}
	run(100) // what is made once
	fds, threads, memory, mounted := count("fd"), count("task"), resident(), mounts()
	run(1000)
	eventually(t, "the descriptors are closed", func() bool { return count("fd") <= fds })
	if n := count("task"); n > threads+8 {
		t.Errorf("%d threads, and %d before", n, threads)
	}
	if n := resident(); n > memory+8<<20 {
		t.Errorf("%d bytes resident, and %d before", n, memory)
	}
	if n := mounts(); n > mounted {
		t.Errorf("%d mounts, and %d before", n, mounted)
	}
}

// TestUnread: serve ends with its messages, also when the client reads nothing, and
// the answers to messages that are wrong wait for it.
func TestUnread(t *testing.T) {
	t.Parallel()
	s := startRaw(t, program())
	before := lives(workspace(t))[:2]
	if err := live(s.in, s.out, before, func() {}); err != nil {
		t.Fatal(err)
	}
	say := func(line string) {
		t.Helper()
		if _, err := fmt.Fprintln(s.in, line); err != nil {
			t.Fatal(err)
		}
	}
	say(`{"jsonrpc":"2.0","id":3,"method":"command.start","params":{"sandbox":"s1","argv":["yes"]}}`)
	eventually(t, "its output waits", func() bool {
		n, err := unix.IoctlGetInt(int(s.out.(*os.File).Fd()), unix.TIOCINQ) // FIONREAD, see pipe(7)
		return err == nil && n > 40<<10
	})
	say("garbage")
	say(`{"jsonrpc":"2.0","id":4,"method":"no.such"}`)
	say(`{"jsonrpc":"2.0","id":5,"method":"command.stdin","params":{"command":"c9","data":""}}`)
	s.in.Close()
	if status := s.wait(t); status != 0 {
		t.Errorf("status %d", status)
	}
}
