// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// processActs attack the process args[0], a bystander of the host.
func processActs() map[string]act {
	onPID := func(f func(int) error) act {
		return func(args []string) error {
			pid, err := strconv.Atoi(args[0])
			if err != nil {
				return err
			}
			return f(pid)
		}
	}
	return map[string]act{
		"kill": onPID(func(pid int) error { return unix.Kill(pid, unix.SIGTERM) }),
		"tkill": onPID(func(pid int) error {
			_, _, errno := unix.Syscall(unix.SYS_TKILL, uintptr(pid), uintptr(unix.SIGTERM), 0)
			return ok(errno)
		}),
		"kill its group": onPID(func(pid int) error { return unix.Kill(-pid, unix.SIGTERM) }),
		"kill everyone":  onPID(func(int) error { return unix.Kill(-1, unix.SIGUSR1) }),
		"pidfd_send_signal": onPID(func(pid int) error {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				return err
			}
			return unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
		}),
		"setpriority":              onPID(func(pid int) error { return lower(unix.PRIO_PROCESS, pid) }),
		"setpriority of its group": onPID(func(pid int) error { return lower(unix.PRIO_PGRP, pid) }),
		"setpriority of the user":  onPID(func(int) error { return lower(unix.PRIO_USER, 0) }),
		"prlimit": onPID(func(pid int) error {
			return unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}, nil)
		}),
		"oom_score_adj": onPID(func(pid int) error { return os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("777"), 0) }),
		"coredump_filter": onPID(func(pid int) error {
			return os.WriteFile(fmt.Sprintf("/proc/%d/coredump_filter", pid), []byte("0x7f"), 0)
		}),
		"sched_setaffinity": onPID(func(pid int) error {
			var set unix.CPUSet
			set.Set(0)
			return unix.SchedSetaffinity(pid, &set)
		}),
		"ptrace":       onPID(unix.PtraceAttach),
		"read environ": onPID(func(pid int) error { return contains(fmt.Sprintf("/proc/%d/environ", pid), "BYSTANDER_SECRET") }),
		"read cmdline": onPID(func(pid int) error { return contains(fmt.Sprintf("/proc/%d/cmdline", pid), "hostile") }),
		"double fork":  func(args []string) error { return survive(args[0]) },
		"bystander": func([]string) error {
			fmt.Println("ready")
			time.Sleep(time.Hour)
			return nil
		},
		"survivor": func(args []string) error {
			for range 600 {
				if err := os.WriteFile(args[0], []byte(strconv.Itoa(time.Now().Nanosecond())), 0o644); err != nil {
					return err
				}
				time.Sleep(20 * time.Millisecond)
			}
			return nil
		},
	}
}

func ok(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

func contains(name, what string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), what) {
		return errors.New("not in there")
	}
	fmt.Println("LEAKED")
	return nil
}

// lowest is the nice value of the lowest priority, see setpriority(2).
const lowest = 19

// niceness is the own nice value. The system call gives 20 less that.
func niceness() int {
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return lowest
	}
	return 20 - priority
}

// lower sets the priority below that of these tests, whatever it is.
func lower(which, who int) error {
	return unix.Setpriority(which, who, min(niceness()+1, lowest))
}

// survive leaves a process behind, in a session of its own, deaf to signals.
func survive(file string) error {
	cmd := exec.Command(os.Args[0], file)
	cmd.Env = append(os.Environ(), actVariable+"=survivor")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// TestProcesses attacks a bystander of the same user, in a group of its own.
func TestProcesses(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	sb := s.open(t)
	for _, id := range []string{
		"kill", "tkill", "kill its group", "pidfd_send_signal", "setpriority", "setpriority of its group", "prlimit",
		"oom_score_adj", "coredump_filter", "sched_setaffinity", "read environ", "read cmdline",
	} {
		t.Run(id, func(t *testing.T) {
			if strings.HasPrefix(id, "setpriority") && niceness() == lowest {
				t.Skip("these tests run with the lowest priority, which cannot be lowered")
			}
			harmed := func(run func(pid string) string) (bool, string) {
				cmd := exec.Command(s.binary)
				cmd.Env = append(os.Environ(), actVariable+"=bystander", "BYSTANDER_SECRET=1")
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
				// Its limits change while it starts.
				if _, err := out.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				before := bystander(cmd.Process.Pid)
				said := run(strconv.Itoa(cmd.Process.Pid))
				time.Sleep(50 * time.Millisecond)
				return bystander(cmd.Process.Pid) != before || strings.Contains(said, "LEAKED"), said
			}
			bad, said := harmed(func(pid string) string { return s.plain(id, pid) })
			if !bad {
				t.Fatalf("the bait is broken: no harm without a sandbox: %s", said)
			}
			if bad, said := harmed(func(pid string) string { return s.inside(sb, id, pid) }); bad {
				t.Errorf("the bystander was harmed (%s)", said)
			}
		})
	}
}

// bystander describes what others can do to a process.
func bystander(pid int) string {
	var b strings.Builder
	for _, name := range []string{"oom_score_adj", "coredump_filter", "limits"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		fmt.Fprintln(&b, string(text), err)
	}
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
	fmt.Fprintln(&b, nice, err)
	var set unix.CPUSet
	err = unix.SchedGetaffinity(pid, &set)
	fmt.Fprintln(&b, set, err)
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	fmt.Fprintln(&b, strings.Fields(rest + " -")[0] == "Z")
	return b.String()
}

// TestCallersGroup signals and reprioritises the caller's own process group.
// The sandbox is opened by a process of its own, so that its group is bait.
func TestCallersGroup(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	sb := s.open(t)
	usr1 := make(chan os.Signal, 8)
	notify(t, usr1, syscall.SIGUSR1)
	nice, _ := unix.Getpriority(unix.PRIO_PROCESS, 0)
	for _, id := range []string{"kill everyone", "setpriority of the user", "kill group 0", "setpriority group 0"} {
		said := s.inside(sb, id, "0")
		select {
		case <-usr1:
			t.Errorf("%s: the caller got the signal (%s)", id, said)
		case <-time.After(100 * time.Millisecond):
		}
		if now, _ := unix.Getpriority(unix.PRIO_PROCESS, 0); now != nice {
			t.Errorf("%s: the caller's priority is %d, was %d (%s)", id, now, nice, said)
		}
	}
	// The control, in a group made for it: other tests share the caller's.
	victim := exec.Command("sleep", "60")
	victim.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := victim.Start(); err != nil {
		t.Skipf("no victim for the control: %v", err)
	}
	member := exec.Command(s.binary, "0")
	member.Env = append(os.Environ(), actVariable+"=kill group 0")
	member.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: victim.Process.Pid}
	if err := member.Run(); err != nil {
		t.Logf("the member of the group: %v", err)
	}
	time.AfterFunc(5*time.Second, func() { _ = victim.Process.Kill() })
	_ = victim.Wait()
	if ws, ok := victim.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGUSR1 {
		t.Errorf("the bait is broken: a plain member of the group did not reach it: %v", victim.ProcessState)
	}
}

// TestSurvivors leaves processes behind; they end with the sandbox.
func TestSurvivors(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	beats := func(file string) bool {
		first, _ := os.ReadFile(file)
		time.Sleep(300 * time.Millisecond)
		second, _ := os.ReadFile(file)
		return string(first) != string(second)
	}
	sb := s.open(t)
	file := s.work + "/beat"
	said := s.inside(sb, "double fork", file)
	time.Sleep(200 * time.Millisecond)
	if !beats(file) {
		t.Fatalf("the bait is broken: the survivor does not live inside the open sandbox: %s", said)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if beats(file) {
		t.Error("a process survived the sandbox")
	}
}
