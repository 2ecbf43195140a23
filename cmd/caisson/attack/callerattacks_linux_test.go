// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// state is what others may change about a process.
func state(pid int) []string {
	dir := "/proc/" + strconv.Itoa(pid)
	var list []string
	add := func(args ...any) { list = append(list, fmt.Sprint(args...)) }
	for _, name := range []string{"oom_score_adj", "coredump_filter", "limits"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			add(name, ": ", err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "Max open files") { // Go raises its own
				add(name, ": ", strings.TrimSpace(line))
			}
		}
	}
	status, _ := os.ReadFile(filepath.Join(dir, "status"))
	for line := range strings.Lines(string(status)) {
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "State": // running and sleeping are the same to us
			add("dead, stopped or traced: ", strings.ContainsAny(value[:2], "TtZX"))
		case "TracerPid", "Cpus_allowed":
			add(strings.TrimSpace(line))
		}
	}
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
	add("nice ", nice, err)
	priority, _ := raw(unix.SYS_IOPRIO_GET, 1, uintptr(pid))
	scheduler, _ := raw(unix.SYS_SCHED_GETSCHEDULER, uintptr(pid))
	add("ioprio ", priority, ", scheduler ", scheduler)
	return list
}

// untouched is the state of a process that nobody has touched.
func untouched(w *world) []string {
	w.t.Helper()
	cmd := exec.Command("sleep", "100")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	w.must(cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	return state(cmd.Process.Pid)
}

// onCaller is an attack on the process that opened the sandbox, which leads the
// process group that the attacker may be in. The act gets the number of its
// parent, or of process 1 where the parent has none.
func onCaller(id, what string, act func(pid int) error) attack {
	return attack{
		id: "caller/" + id, what: what, guarantee: guarantee.OutsideUntouchable, caller: true,
		lay: func(w *world) bait {
			secret := token("SECRET")
			return bait{env: []string{"CALLER_SECRET=" + secret}, harm: func(said string, pid int) string {
				now, want := state(pid), untouched(w)
				for i := range want {
					if i >= len(now) || now[i] != want[i] {
						return fmt.Sprintf("the caller is %q, where an untouched process is %q", now, want)
					}
				}
				return leaked(secret)(said, 0)
			}}
		},
		act: func([]string) error {
			pid := os.Getppid()
			if pid == 0 {
				pid = 1
			}
			return act(pid)
		},
	}
}

// nicer is an attack that sets a nice value above that of these tests, if there
// is one. The system call gives 20 less the value, see getpriority(2).
func nicer(id, what string, act func(pid, nice int) error) attack {
	const lowest = 19
	own := func() int {
		priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			return lowest
		}
		return 20 - priority
	}
	a := onCaller(id, what, func(pid int) error { return act(pid, min(own()+1, lowest)) })
	if own() == lowest {
		a.needs = "a priority that can be lowered"
	}
	return a
}

func procFile(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

func callerAttacks() []attack {
	// What shows an act that leaves no trace by itself: the target is killed.
	kill := func(pid int) error { return unix.Kill(pid, unix.SIGKILL) }
	return []attack{
		onCaller("kill-parent", "kill the parent or process 1", kill),
		onCaller("kill-group", "kill the own process group", func(int) error { return unix.Kill(0, unix.SIGKILL) }),
		onCaller("kill-all", "kill everything", func(pid int) error {
			if pid != 1 { // the control keeps to its parent
				return kill(pid)
			}
			return unix.Kill(-1, unix.SIGKILL)
		}),
		nicer("nice-group", "lower the priority of the own process group", func(_, nice int) error {
			return unix.Setpriority(unix.PRIO_PGRP, 0, nice)
		}),
		nicer("nice-group-high", "the same with garbage in the high bits", func(_, nice int) error {
			return just(raw(unix.SYS_SETPRIORITY, unix.PRIO_PGRP|1<<33, 1<<35, uintptr(nice)))
		}),
		onCaller("ioprio-group", "lower the input and output priority of the own process group", func(int) error {
			return just(raw(unix.SYS_IOPRIO_SET, 2, 0, 3<<13))
		}),
		onCaller("ioprio-group-high", "the same with garbage in the high bits", func(int) error {
			return just(raw(unix.SYS_IOPRIO_SET, 2|1<<40, 1<<32, 3<<13))
		}),
		nicer("nice-parent", "lower the priority of the parent or process 1", func(pid, nice int) error {
			return unix.Setpriority(unix.PRIO_PROCESS, pid, nice)
		}),
		onCaller("oom", "write oom_score_adj of the parent or process 1", func(pid int) error {
			return os.WriteFile(procFile(pid, "oom_score_adj"), []byte("777"), 0)
		}),
		onCaller("coredump-filter", "write coredump_filter of the parent or process 1", func(pid int) error {
			return os.WriteFile(procFile(pid, "coredump_filter"), []byte("0x7f"), 0)
		}),
		onCaller("prlimit", "limit the parent or process 1", func(pid int) error { return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{}, nil) }),
		onCaller("environ", "read the environment of the parent or process 1", func(pid int) error {
			text, err := os.ReadFile(procFile(pid, "environ"))
			fmt.Printf("%q\n", text)
			return err
		}),
		onCaller("memory", "read the memory of the parent or process 1", func(pid int) error { return dump(pid, readFile("mem")) }),
		onCaller("memory-task", "the same through its thread", func(pid int) error { return dump(pid, readFile(fmt.Sprintf("task/%d/mem", pid))) }),
		onCaller("memory-vm", "the same by process_vm_readv", func(pid int) error {
			return dump(pid, func(pid int, at uint64, buf []byte) (int, error) {
				local := []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}
				return unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(buf)}}, 0)
			})
		}),
		onCaller("ptrace", "trace the parent or process 1", func(pid int) error {
			if err := unix.PtraceSeize(pid); err != nil {
				return err
			}
			return kill(pid)
		}),
		onCaller("pidfd-getfd", "take standard error of the parent or process 1", func(pid int) error {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				return err
			}
			if _, err = unix.PidfdGetfd(fd, 2, 0); err != nil {
				return err
			}
			return kill(pid)
		}),
		onCaller("exe", "open the executable of the parent or process 1 for writing", func(pid int) error {
			err := writeTo(procFile(pid, "exe"), unix.O_WRONLY)
			if err != unix.ETXTBSY { // busy is as good as done: it can wait until the process is gone
				return err
			}
			return kill(pid)
		}),
		onCaller("files", "open standard output of the parent or process 1", func(pid int) error {
			return withFD(procFile(pid, "fd/1"), unix.O_WRONLY, func(int) error { return kill(pid) })
		}),
	}
}

func readFile(name string) func(pid int, at uint64, buf []byte) (int, error) {
	return func(pid int, at uint64, buf []byte) (int, error) {
		f, err := os.Open(procFile(pid, name))
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return f.ReadAt(buf, int64(at))
	}
}

// dump prints the secrets in a process's writable memory.
func dump(pid int, read func(pid int, at uint64, buf []byte) (int, error)) error {
	maps, err := os.ReadFile(procFile(pid, "maps"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n != 3 || !strings.HasPrefix(mode, "rw") {
			continue
		}
		buf := make([]byte, min(to-from, 4<<20))
		n, failed := read(pid, from, buf)
		if failed != nil {
			err = failed
		}
		for _, part := range strings.Split(string(buf[:max(n, 0)]), "CALLER_SECRET=")[1:] {
			fmt.Printf("%q\n", part[:min(len(part), 40)])
		}
	}
	return err
}
