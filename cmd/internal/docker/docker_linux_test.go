// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain lets the test's own executable be the command, the probe and, with
// a word before it, what confines the probe.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "probe":
		probe()
	case len(os.Args) > 1 && os.Args[1] == "confined":
		user := os.Getuid()
		if os.Args[2] == "user" {
			user = 1000
		}
		fmt.Fprintln(os.Stderr, become(user, strings.Join(os.Args[3:], ""), []string{"/proc/self/exe", "probe"}))
		os.Exit(125)
	default:
		os.Exit(m.Run())
	}
}

// probe prints what a process finds, one line each.
func probe() {
	say := func(name string, err error) {
		word := "ok"
		var errno syscall.Errno
		if errors.As(err, &errno) {
			word = unix.ErrnoName(errno)
		} else if err != nil {
			word = err.Error()
		}
		fmt.Println(name, word)
	}
	socket := func(family, kind int) error {
		fd, err := unix.Socket(family, kind, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	call := func(nr uintptr, args ...uintptr) error {
		args = append(args, 0, 0, 0, 0, 0, 0)
		if _, _, errno := unix.Syscall6(nr, args[0], args[1], args[2], args[3], args[4], args[5]); errno != 0 {
			return errno
		}
		return nil
	}
	say("unix", socket(unix.AF_UNIX, unix.SOCK_STREAM))
	say("inet", socket(unix.AF_INET, unix.SOCK_STREAM))
	say("vsock", socket(unix.AF_VSOCK, unix.SOCK_STREAM))
	say("alg", socket(unix.AF_ALG, unix.SOCK_SEQPACKET))
	say("personality", call(unix.SYS_PERSONALITY, 0xffffffff))
	say("strange-personality", call(unix.SYS_PERSONALITY, 0x0400000))
	say("clone3", call(unix.SYS_CLONE3, 0, 0))
	say("newer", call(1<<20))
	say("unshare", unix.Unshare(unix.CLONE_NEWUSER))
	say("pidfd_getfd", call(438, 0, 0, 0))
	status, err := os.ReadFile("/proc/self/status")
	say("status", err)
	scan := bufio.NewScanner(strings.NewReader(string(status)))
	for scan.Scan() {
		for _, name := range []string{"Uid:", "CapEff:", "CapBnd:", "Seccomp:", "NoNewPrivs:"} {
			if strings.HasPrefix(scan.Text(), name) {
				fmt.Println(strings.Fields(scan.Text())[0], strings.Fields(scan.Text())[1])
			}
		}
	}
}

// found runs the probe and returns its lines.
func found(t *testing.T, args ...string) map[string]string {
	t.Helper()
	out, err := exec.Command("/proc/self/exe", args...).Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		lines[name] = value
	}
	return lines
}

// TestConfined compares what a process may in a container of Docker's default
// settings with what it may without them.
func TestConfined(t *testing.T) {
	t.Parallel()
	free := found(t, "probe")
	refused := map[string]string{
		"vsock": "EPERM", "alg": "EPERM", "strange-personality": "EPERM", "clone3": "ENOSYS", "newer": "ENOSYS", "unshare": "EPERM", "pidfd_getfd": "EPERM",
		"Seccomp:": "2",
	}
	allowed := map[string]string{"unix": "ok", "inet": "ok", "personality": "ok"}
	if free["Seccomp:"] == "2" || free["clone3"] != "EINVAL" {
		t.Skipf("this test runs under a filter already: %v", free)
	}
	users := map[string]map[string]string{"as-is": {"NoNewPrivs:": "1"}}
	if os.Getuid() == 0 {
		users = map[string]map[string]string{
			"as-is": {"Uid:": "0", "CapEff:": "00000000a80425fb", "CapBnd:": "00000000a80425fb", "NoNewPrivs:": "0"},
			"user":  {"Uid:": "1000", "CapEff:": "0000000000000000", "CapBnd:": "00000000a80425fb", "NoNewPrivs:": "0"},
		}
	}
	for user, own := range users {
		got := found(t, "confined", user)
		for _, want := range []map[string]string{refused, allowed, own} {
			for name, value := range want {
				if got[name] != value {
					t.Errorf("%s: %s is %q, want %q", user, name, got[name], value)
				}
			}
		}
	}
	for name, value := range found(t, "confined", "as-is", "../../../docs/fleets/seccomp.json") {
		want := refused[name]
		if name == "unshare" || name == "pidfd_getfd" {
			want = free[name]
		}
		if want != "" && value != want {
			t.Errorf("under the profile for fleets %s is %q, want %q", name, value, want)
		}
	}
	for name, value := range allowed {
		if free[name] != value {
			t.Errorf("without confinement %s is %q", name, free[name])
		}
	}
	for _, name := range []string{"clone3", "unshare", "strange-personality"} {
		if free[name] == refused[name] {
			t.Errorf("without confinement %s is %s too", name, free[name])
		}
	}
}
