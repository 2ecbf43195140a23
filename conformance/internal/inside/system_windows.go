// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// errnoName gives the names that the suite looks at, and numbers otherwise.
func errnoName(e syscall.Errno) string {
	switch e {
	case windows.ERROR_ACCESS_DENIED:
		return "EACCES"
	case windows.ERROR_FILE_NOT_FOUND, windows.ERROR_PATH_NOT_FOUND:
		return "ENOENT"
	}
	return strconv.Itoa(int(e))
}

// hide starts a child without a console of the parent's.
func hide(cmd *exec.Cmd, how []string) {
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if slices.Contains(how, "session") {
		cmd.SysProcAttr.CreationFlags = windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_BREAKAWAY_FROM_JOB
	}
}

func escape(args []string) {
	if i := slices.Index(args, "twice"); i >= 0 {
		cmd := self(append([]string{"beat"}, slices.Delete(slices.Clone(args), i, i+1)...)...)
		hide(cmd, nil)
		if cmd.Start() == nil {
			os.Exit(0)
		}
	}
}

func trapped() []os.Signal { return []os.Signal{os.Interrupt} }

// die ends the process as a signal would: Windows has none, so with the status
// that it stands for.
func die(n int) { os.Exit(128 + n) }

func kill(pid, _ int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

func openNonblock(path string) (*os.File, error) { return os.Open(path) }

func systemOps() map[string]op {
	return map[string]op{
		// peek PID Num: read the memory of a process at an address.
		"peek": func(_ *Helper, r act.Request) act.Reply {
			h, err := windows.OpenProcess(windows.PROCESS_VM_READ, false, uint32(r.PID))
			if err != nil {
				return failed(err)
			}
			defer windows.CloseHandle(h)
			b := make([]byte, 64)
			var n uintptr
			err = windows.ReadProcessMemory(h, uintptr(r.Num), &b[0], uintptr(len(b)), &n)
			reply := failed(err)
			reply.Data = b[:n]
			return reply
		},
	}
}

func processes() act.Reply {
	all, err := programs()
	reply := failed(err)
	for pid, name := range all {
		reply.List = append(reply.List, strconv.Itoa(int(pid))+" "+name)
	}
	return reply
}

func lock(*os.File) {}

// spoil does nothing yet on Windows.
func spoil(*Helper, []string) int { return 2 }

// terminal prints whether the standard streams are a console.
func terminal(*Helper, []string) int {
	for _, h := range []uint32{windows.STD_INPUT_HANDLE, windows.STD_OUTPUT_HANDLE, windows.STD_ERROR_HANDLE} {
		handle, _ := windows.GetStdHandle(h)
		var mode uint32
		os.Stdout.WriteString(strconv.FormatBool(windows.GetConsoleMode(handle, &mode) == nil) + " ")
	}
	os.Stdout.WriteString("none ready\n")
	return 0
}
