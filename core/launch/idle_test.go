// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestIdle: a sandbox is idle before its first command and when all are gone,
// with what they left, and at no other time.
func TestIdle(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	s, err := Open(context.Background(), holdPlan(ws), Options{StateDir: state})
	if err != nil {
		t.Skipf("no sandbox can be made here: %v", err)
	}
	defer s.Close()
	if !s.idle() {
		t.Error("it is not idle before the first command")
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	// The second one outlives the command, until it reads the end of the pipe.
	p, err := s.Start(context.Background(), Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", "read line; exec 3<&0; cat <&3 >/dev/null & exit 0"},
		Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/", Files: []*os.File{in, nil, nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.idle() {
		t.Error("it is idle while a command runs")
	}
	if _, err := unix.Write(int(out.Fd()), []byte("go\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if s.idle() {
		t.Error("it is idle while what a command left is alive")
	}
	out.Close()
	for end := time.Now().Add(time.Minute); !s.idle(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is not idle when all are gone")
		}
	}
}
