// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

const liveVariable = "CAISSON_TEST_SECCOMP"

func TestMain(m *testing.M) {
	if program := os.Getenv(liveVariable); program != "" {
		if err := live(program); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// live runs in a child: it installs a filter, looks at some errors and
// executes the given program, if it is a path.
func live(program string) error {
	runtime.LockOSThread()
	full := uint64(0xffffffff)
	filter, err := Compile(plan.Seccomp{Newest: 471, Rules: []plan.SeccompRule{
		{Calls: []string{"sethostname"}, Action: "errno", Errno: "EAFNOSUPPORT"},
		{Calls: []string{"ioctl"}, Action: "errno", Errno: "EBUSY", When: []plan.SeccompCondition{{Arg: 1, Mask: full, Op: "==", Value: 0x5412}}},
		{Calls: []string{"getpriority"}, Action: "errno", Errno: "EINVAL", When: []plan.SeccompCondition{{Arg: 0, Mask: full, Op: "!=", Value: 0}}},
	}}, runtime.GOARCH)
	if err != nil {
		return err
	}
	if err := install(filter); err != nil {
		return err
	}
	garbage := uintptr(0xdead)<<32 | 0x5412
	_, _, request := unix.Syscall(unix.SYS_IOCTL, 0, garbage, 0)
	_, _, newer := unix.Syscall(472, 0, 0, 0)
	_, group := unix.Getpriority(1, 0)
	_, own := unix.Getpriority(0, 0)
	for _, c := range []struct {
		what      string
		got, want error
	}{
		{"named call", unix.Sethostname([]byte("x")), unix.EAFNOSUPPORT},
		{"ioctl with garbage", request, unix.EBUSY},
		{"newer call", newer, unix.ENOSYS},
		{"condition holds", group, unix.EINVAL},
		{"condition fails", own, nil},
	} {
		if !errors.Is(c.got, c.want) {
			return fmt.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
	if strings.HasPrefix(program, "/") {
		return unix.Exec(program, []string{program}, nil)
	}
	return nil
}

func child(t *testing.T, program string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), liveVariable+"="+program)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestLive(t *testing.T) {
	t.Parallel()
	if err := child(t, "none").Run(); err != nil {
		t.Fatal(err)
	}
}

// TestForeignABI executes a 32-bit program, which calls exit(7) for ever.
func TestForeignABI(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("needs the 32-bit ABI of amd64")
	}
	code := "\xb8\x01\x00\x00\x00\xbb\x07\x00\x00\x00\xcd\x80\xeb\xf2" // mov eax,1; mov ebx,7; int 0x80; jmp start
	const base, start = 0x8048000, 52 + 32
	word := func(v int) string { return string([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}) }
	image := "\x7fELF\x01\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x03\x00" + word(1) + word(base+start) + word(52) + word(0) + word(0) +
		"\x34\x00\x20\x00\x01\x00\x00\x00\x00\x00\x00\x00" +
		word(1) + word(0) + word(base) + word(base) + word(start+len(code)) + word(start+len(code)) + word(5) + word(0x1000) + code
	file := filepath.Join(t.TempDir(), "i386")
	if err := os.WriteFile(file, []byte(image), 0o755); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := exec.Command(file).Run(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Skipf("this kernel does not run 32-bit programs: %v", err)
	}
	err := child(t, file).Run()
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGSYS {
		t.Errorf("got %v, want death by SIGSYS", err)
	}
}
