// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// niceOf is the priority of a process, see getpriority(2).
func niceOf(pid int) string {
	n, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
	return fmt.Sprint(n, err)
}

// limitsOf is the limit of open files of a process.
func limitsOf(pid int) string {
	var l unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &l)
	return fmt.Sprint(l, err)
}

// affinityOf is how many processors a process may use.
func affinityOf(pid int) string {
	var set unix.CPUSet
	err := unix.SchedGetaffinity(pid, &set)
	return fmt.Sprint(set.Count(), err)
}

// findEnvironment finds the address of a variable in the memory of a process,
// see proc_pid_stat(5), fields 50 and 51.
func findEnvironment(pid int, variable string) (int64, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 49 {
		return 0, false
	}
	start, _ := strconv.ParseInt(fields[47], 10, 64)
	end, _ := strconv.ParseInt(fields[48], 10, 64)
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/mem")
	if err != nil || end <= start || end-start > 4<<20 {
		return 0, false
	}
	defer f.Close()
	b := make([]byte, end-start)
	if _, err := f.ReadAt(b, start); err != nil {
		return 0, false
	}
	i := bytes.Index(b, []byte(variable))
	return start + int64(i), i >= 0
}
