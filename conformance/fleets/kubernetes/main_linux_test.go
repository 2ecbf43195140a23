// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

var (
	programs = flag.String("programs", "", "directory with the programs that make e2e-kubernetes builds; without it there is nothing to test")
	scratch  = flag.String("scratch", "", "directory on a disk below which the cluster keeps its files, all removed at the end")
)

// What this executable is, is in the variable stage: nothing for what the user
// starts, then process 1 of the cluster, then what sets it up and tests.
const (
	stage     = "CAISSON_FLEET_STAGE"
	directory = "CAISSON_FLEET_DIRECTORY"
	stageInit = "init"
	stageTest = "test"
)

func TestMain(m *testing.M) {
	flag.Parse()
	switch os.Getenv(stage) {
	case stageInit:
		os.Exit(reap())
	case stageTest:
		os.Exit(m.Run())
	}
	if *programs == "" || os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "SKIPPED: run make e2e-kubernetes, as root")
		return
	}
	if tops, err := hierarchies(); err != nil || len(tops) == 0 {
		fmt.Fprintln(os.Stderr, "SKIPPED: the cluster was never tried on control groups of version 2", err)
		return
	}
	status, err := contained()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// contained runs the test in namespaces of its own and removes what is left on
// disk and among the control groups.
func contained() (status int, err error) {
	runtime.LockOSThread() // the signal of a parent's death is one of its thread's death
	if *scratch != "" {
		if err := os.MkdirAll(*scratch, 0o755); err != nil {
			return 1, err
		}
	}
	dir, err := os.MkdirTemp(*scratch, "cluster-*")
	if err != nil {
		return 1, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return 1, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return 1, err
	}
	defer func() {
		for _, left := range []error{removeGroups(groupName(dir)), os.RemoveAll(dir)} {
			if err == nil {
				err = left
			}
		}
	}()
	first := exec.Command("/proc/self/exe", os.Args[1:]...)
	first.Stdout, first.Stderr = os.Stdout, os.Stderr
	first.Env = append(os.Environ(), stage+"="+stageInit, directory+"="+dir)
	first.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := first.Start(); err != nil {
		return 1, fmt.Errorf("make the namespaces of the cluster: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-stop
		first.Process.Kill()
	}()
	err = first.Wait()
	if code := first.ProcessState.ExitCode(); code > 0 {
		return code, nil
	}
	return 0, err
}

// reap is process 1: it starts the test, reaps whatever is orphaned and returns
// the test's status. What is left then is killed by the kernel.
func reap() int {
	var child int
	err := joinGroups(groupName(os.Getenv(directory)))
	if err == nil {
		err = os.Setenv(stage, stageTest)
	}
	if err == nil {
		child, err = syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
			Files: []uintptr{0, 1, 2}, Env: os.Environ(), Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWCGROUP},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the test:", err)
		return 1
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			fmt.Fprintln(os.Stderr, "wait for the test:", err)
			return 1
		case pid == child && status.Exited():
			return status.ExitStatus()
		case pid == child:
			return 128 + int(status.Signal())
		}
	}
}

// groupName is the control group below which all those of a cluster are.
func groupName(dir string) string { return "caisson-" + filepath.Base(dir) }

// removeGroups removes the control groups of that name from every hierarchy.
// Those of processes that were killed a moment ago can still be busy.
func removeGroups(name string) error {
	tops, err := hierarchies()
	for _, top := range tops {
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if err = removeGroup(filepath.Join(top, name)); err == nil || time.Now().After(end) {
				break
			}
		}
		if err != nil {
			return err
		}
	}
	return err
}

func removeGroup(top string) error {
	entries, err := os.ReadDir(top)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroup(filepath.Join(top, e.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(top)
}
