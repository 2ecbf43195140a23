// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

func rootDir() string { return "/" }

// start executes the descriptor that was hashed. The process is the leader of
// a session of its own, so it has no terminal, and is killed when the thread
// that made it ends, which lives as long as the host: PR_SET_PDEATHSIG.
func (p *process) start() error {
	p.cmd.Path = "/proc/self/fd/3"
	p.cmd.Args = []string{p.program.Path}
	p.cmd.ExtraFiles = []*os.File{p.program.File}
	if err := keepDescriptors(); err != nil {
		return err
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.waitErr = p.cmd.Wait()
			close(p.done)
		}
	}()
	return <-started
}

// kill kills the process, what descends from it, and what is left of its
// session. Each is stopped before its children are listed, so that none is
// made meanwhile. What left both by two forks and a session of its own is not
// found: a trusted program that wants to stay can.
func (p *process) kill() {
	leader := p.cmd.Process.Pid
	tree := []int{leader}
	for i := 0; i < len(tree); i++ {
		_ = syscall.Kill(tree[i], syscall.SIGSTOP)
		tree = append(tree, children(tree[i])...)
	}
	for _, pid := range append(tree, session(leader)...) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(-leader, syscall.SIGKILL)
}

// children lists the children of a process, see proc_pid_task(5).
func children(pid int) []int {
	var list []int
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(f); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// session lists the processes of a session, see proc_pid_stat(5).
func session(leader int) []int {
	var list []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == leader {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		i := strings.LastIndex(string(text), ") ") // the name before it may hold anything
		if f := strings.Fields(string(text)[i+1:]); len(f) > 3 && f[3] == strconv.Itoa(leader) {
			list = append(list, pid)
		}
	}
	return list
}
