// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tests play sandbox-exec by a program that confines itself with Landlock,
// which refuses the same two acts that the inner stage tries, and that fails in
// every way in which sandbox-exec does. It shows what the launcher does about
// it, and nothing about macOS.

const fakeWord = "play-sandbox-exec"

func TestMain(m *testing.M) {
	Stage(os.Args)
	if len(os.Args) > 3 && os.Args[1] == fakeWord {
		play(os.Args[2], os.Args[3], os.Args[4:])
	}
	if len(os.Args) == 3 && os.Args[1] == driveWord {
		os.Exit(drive(os.Args[2]))
	}
	os.Exit(m.Run())
}

// play does what sandbox-exec would with these arguments, after it has noted
// them.
func play(mode, record string, args []string) {
	if err := os.WriteFile(record, []byte(strings.Join(args, "\n")), 0o600); err != nil {
		die(err)
	}
	tmp, stage := "", []string(nil)
	for i := 0; i < len(args) && stage == nil; i++ {
		switch {
		case args[i] == "-f":
			i++
		case strings.HasPrefix(args[i], "-DTMP="):
			tmp = args[i][len("-DTMP="):]
		case strings.HasPrefix(args[i], "-D"):
		default:
			stage = args[i:]
		}
	}
	switch mode {
	case "confine":
		confine(tmp, true)
	case "open-files":
		confine("/", true)
	case "open-network":
		confine(tmp, false)
	case "shut":
		confine("/nonexistent", true)
	case "not-confined":
	case "hang":
		time.Sleep(time.Hour)
	case "killed":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	default:
		status, err := strconv.Atoi(mode)
		if err != nil {
			die(err)
		}
		os.Exit(status)
	}
	die(syscall.Exec(stage[0], stage, os.Environ()))
}

func die(err error) {
	fmt.Fprintln(os.Stderr, "fake sandbox-exec:", err)
	os.Exit(99)
}

// confine lets this thread, which executes the stage, write below dir and,
// where offline, connect nowhere.
func confine(dir string, offline bool) {
	runtime.LockOSThread()
	const writing = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
	attr := struct{ fs, net uint64 }{fs: writing}
	if offline {
		attr.net = 1<<0 | 1<<1 // bind and connect of TCP
	}
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		die(errno)
	}
	for _, name := range []string{dir, "/dev"} {
		fd, err := unix.Open(name, unix.O_PATH, 0)
		if err != nil {
			continue
		}
		rule := make([]byte, 12)
		*(*uint64)(unsafe.Pointer(&rule[0])) = writing
		*(*int32)(unsafe.Pointer(&rule[8])) = int32(fd)
		if name == "/dev" {
			*(*uint64)(unsafe.Pointer(&rule[0])) = unix.LANDLOCK_ACCESS_FS_WRITE_FILE
		}
		if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule[0])), 0, 0, 0); errno != 0 {
			die(errno)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		die(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		die(errno)
	}
}

// landlocked reports whether this kernel can play: Landlock with rules of TCP.
func landlocked() bool {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1)
	return errno == 0 && abi >= 4
}

// procFS knows the processes of Linux.
type procFS struct{}

func (procFS) Environ(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)) // gone, or another user's
	return string(text)
}

func (procFS) List() ([]Info, error) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var list []Info
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		number := func(s string) int { n, _ := strconv.Atoi(s); return n }
		list = append(list, Info{
			PID: number(filepath.Base(filepath.Dir(name))), Parent: number(f[1]), Group: number(f[2]), Start: int64(number(f[19])), Dead: f[0] == "Z" || f[0] == "X",
		})
	}
	return list, nil
}
