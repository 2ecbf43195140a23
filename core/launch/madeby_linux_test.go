// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMadeBy: a socket that outlived the process which made it listen is
// nobody's, whoever has that process's id now; with the process it is its.
func TestMadeBy(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	const script = `
import os, socket, sys, time
l = socket.socket(socket.AF_UNIX); l.bind("s"); l.listen()
if sys.argv[1] == "leaves" and os.fork(): os._exit(0)
print("listens", flush=True)
sys.stdin.read()
`
	for _, how := range []string{"stays", "leaves"} {
		dir := t.TempDir()
		cmd := exec.Command(python, "-c", script, how)
		cmd.Dir = dir
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		if how == "leaves" {
			reap(cmd.Process.Pid) // its id may be anybody's from now on
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, "s")}); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soPeerPidfd); err == unix.ENOPROTOOPT {
			t.Skip("before Linux 6.5 the id is all there is")
		}
		asked := 0
		if got := madeBy(fd, func(pid int) bool { asked = pid; return true }); got != (how == "stays") {
			t.Errorf("%s: %v", how, got)
		}
		if how == "stays" && asked != cmd.Process.Pid {
			t.Errorf("asked for process %d, it is %d", asked, cmd.Process.Pid)
		}
		unix.Close(fd)
		stdin.Close()
		if how == "stays" {
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		}
	}
}
