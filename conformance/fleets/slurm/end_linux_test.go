// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// process is one of the system's processes.
type process struct {
	pid, parent int
	dead        bool // nobody has asked for its status
	name        string
	argv        string // with blanks between
}

// processes lists all that there are, see proc_pid_stat(5).
func processes(t testing.TB) []process {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		open, closing := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[closing+1:]))
		p := process{pid: pid, name: string(stat[open+1 : closing]), dead: fields[0] == "Z" || fields[0] == "X"}
		p.parent, _ = strconv.Atoi(fields[1])
		argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // empty where it has ended
		p.argv = strings.ReplaceAll(strings.TrimRight(string(argv), "\x00"), "\x00", " ")
		list = append(list, p)
	}
	return list
}

// descendants are the living ones of this process.
func descendants(t testing.TB) []process {
	t.Helper()
	ours := map[int]bool{os.Getpid(): true}
	all := processes(t)
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if ours[p.parent] && !ours[p.pid] {
				ours[p.pid], grown = true, true
			}
		}
	}
	var list []process
	for _, p := range all {
		if ours[p.pid] && p.pid != os.Getpid() && !p.dead {
			list = append(list, p)
		}
	}
	return list
}

// with are the living sleep(1) among them whose arguments have a word.
func with(t testing.TB, word string) []process {
	t.Helper()
	var list []process
	for _, p := range descendants(t) {
		if p.name == "sleep" && strings.Contains(p.argv, word) {
			list = append(list, p)
		}
	}
	return list
}

// end ends the cluster: jobs first, then all that descends from this process,
// each by its id.
func (c *cluster) end(t testing.TB) {
	t.Helper()
	if t.Failed() {
		t.Log(c.logs())
	}
	c.ask("scancel", "--user=root", "--user="+c.account.Username, "--signal=KILL", "--full")
	for range 100 {
		left := descendants(t)
		if len(left) == 0 {
			break
		}
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may just have ended
		}
		c.reap()
	}
	if left := descendants(t); len(left) > 0 {
		t.Errorf("these are left: %v", left)
	}
}

// reap takes the statuses of all children, which lets go of their ids.
func (c *cluster) reap() {
	for name, d := range c.daemons {
		_ = d.Wait() // it was killed
		delete(c.daemons, name)
	}
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err == syscall.EINTR {
			continue
		} else if pid <= 0 {
			return
		}
	}
}
