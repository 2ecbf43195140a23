// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-sandbox/caisson/cmd/internal/testkit"
)

// container runs caisson under the filter and with the capabilities that
// Docker gives a container by default.
type container struct {
	dir     string // its temporary home, outside of /tmp
	docker  string // what confines
	user    int
	profile string   // of a file, the default where it is empty
	env     []string // besides
}

func newContainer(t *testing.T, user int) container {
	t.Helper()
	dir, err := os.MkdirTemp("/home", "caisson-test-")
	if err != nil {
		t.Skip("no home can be made: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := container{dir: dir, docker: filepath.Join(dir, "docker"), user: user}
	if err := testkit.CopyFile(filepath.Join(dir, "caisson"), "/proc/self/exe", 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", c.docker, "../internal/docker").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ws", "out"} {
		at := filepath.Join(dir, name)
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(at, user, user); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// containerUsers are those who run caisson in a container, by the names of
// subtests.
func containerUsers() map[string]int {
	if os.Getuid() == 0 {
		return map[string]int{"root": 0, "user": ordinary}
	}
	return map[string]int{"itself": os.Getuid()}
}

// caisson runs it, confined or not, and returns its status and what it said.
func (c container) caisson(t *testing.T, confined bool, args ...string) (int, string, string) {
	t.Helper()
	argv := append([]string{filepath.Join(c.dir, "caisson")}, args...)
	if confined {
		argv = append([]string{c.docker, "-user", strconv.Itoa(c.user), "-seccomp", c.profile}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = filepath.Join(c.dir, "ws")
	cmd.Env = append([]string{"HOME=" + filepath.Join(c.dir, "out"), "PATH=" + os.Getenv("PATH")}, c.env...)
	if !confined && c.user != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(c.user), Gid: uint32(c.user)}}
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// TestInDocker runs caisson as Docker's default would confine it. A standard
// run holds, or is refused with what would help before anything ran; and once
// every loss is accepted by name, what is still claimed holds.
func TestInDocker(t *testing.T) {
	t.Parallel()
	for name, user := range containerUsers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, user)
			outside, inside := filepath.Join(c.dir, "out", "file"), filepath.Join(c.dir, "ws", "file")
			act := []string{"--", "sh", "-c", "echo > " + outside + "; echo > " + inside}
			wrote := func(path string) bool { defer os.Remove(path); _, err := os.Stat(path); return err == nil }
			if sh := exec.Command("sh", act[2:]...); sh.Run() != nil || !wrote(outside) || !wrote(inside) {
				t.Fatal("without caisson the command does not write")
			}
			code, _, said := c.caisson(t, true, append([]string{"run"}, act...)...)
			in, out := wrote(inside), wrote(outside)
			if out || in != (code != 125) {
				t.Errorf("status %d, written outside: %v, inside: %v; %s", code, out, in, said)
			}
			if code != 125 {
				return
			}
			_, text, _ := c.caisson(t, true, "plan", "--json")
			var plan struct {
				Unmet []struct {
					ID, Reason, Remedy string
					Grant              *struct{ Args []string }
				}
			}
			if err := json.Unmarshal([]byte(text), &plan); err != nil || len(plan.Unmet) == 0 {
				t.Fatalf("caisson plan printed %q: %v", text, err)
			}
			weaker := []string{"run"}
			for _, u := range plan.Unmet {
				if !strings.Contains(said, u.ID) || u.Reason == "" || u.Remedy == "" {
					t.Errorf("%s: the refusal names it: %v; reason %q, remedy %q", u.ID, strings.Contains(said, u.ID), u.Reason, u.Remedy)
				}
				if u.Grant == nil {
					return // nothing can be done without it
				}
				weaker = append(weaker, u.Grant.Args...)
			}
			code, _, said = c.caisson(t, true, append(weaker, act...)...)
			if wrote(outside) && !strings.Contains(text, `"fs.write.confined"`) || !wrote(inside) {
				t.Errorf("with every loss accepted: status %d; %s", code, said)
			}
		})
	}
}

// TestSocketsInDocker: where descriptors of commands cannot be copied, sockets
// inside are connected all the same, and so is one that is granted; the host's
// others are not.
func TestSocketsInDocker(t *testing.T) {
	t.Parallel()
	for name, user := range containerUsers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, user)
			_, text, _ := c.caisson(t, true, "plan", "--json", "--backend", "linux/landlock")
			if !strings.Contains(text, `"net.unix.confined":{"by"`) {
				t.Skip("this host has no Landlock")
			}
			if !strings.Contains(text, `"makes":true`) {
				t.Error("descriptors can be copied here")
			}
			if !c.conforms(t, "linux/landlock", "^(work-21|unix-.*)$") {
				t.Error("sockets inside are not connected, or sockets of the host are")
			}
		})
	}
}

// TestSocketsInDockerOnline: online, where the kernel connects for commands, they
// have no socket that could reach one of the host's, but where the policy gives
// that up; the network they have.
func TestSocketsInDockerOnline(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // which every user may execute
	if _, err := os.Stat(python); err != nil {
		t.Skip("python3 is not installed")
	}
	const script = `
import socket, sys
l = socket.create_server(("127.0.0.1", 0)); socket.create_connection(l.getsockname())
a, b = socket.socketpair()
for path in sys.argv[1:]:
    try:
        a.connect(path)
    except OSError:
        pass
    socket.socket(socket.AF_UNIX).connect(path)
`
	for name, user := range containerUsers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, user)
			host := filepath.Join(c.dir, "ws", "host")
			l, err := net.Listen("unix", host)
			if err == nil {
				err = os.Chmod(host, 0o777)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			run := func(given []string, args ...string) (int, string) {
				argv := []string{"run", "--backend", "linux/landlock", "--net", "online"}
				for _, id := range append([]string{"fs.write.protected", "fs.device.denied", "ipc.confined"}, given...) {
					argv = append(argv, "--allow-weaker", id)
				}
				code, _, said := c.caisson(t, true, append(append(argv, "--", python, "-c", script), args...)...)
				return code, said
			}
			if code, said := run(nil); code == 125 {
				t.Skipf("this host has no Landlock that does: %s", said)
			} else if code != 0 {
				t.Errorf("the network cannot be used: status %d; %s", code, said)
			}
			if code, said := run(nil, host); code == 0 || !strings.Contains(said, "PermissionError") {
				t.Errorf("a socket of the host is reached: status %d; %s", code, said)
			}
			if code, said := run([]string{"net.unix.confined"}, host); code != 0 { // the control
				t.Errorf("given up, it is not reached: status %d; %s", code, said)
			}
		})
	}
}
