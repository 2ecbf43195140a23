// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/conformance/internal/inside"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The variables by which a helper learns that it is in a fake sandbox.
const (
	fakeVariable = "CAISSON_FAKE_SANDBOX" // the file with its order
	fakeOwner    = "CAISSON_FAKE_OWNER"   // the process that it must not survive
	fakeChild    = "CAISSON_FAKE_CHILD"   // set in children of the command
	fakeOwnRole  = "fake-own"             // the role of the owner
)

// fakeOrder is what a helper in a fake sandbox is told.
type fakeOrder struct {
	Policy  json.RawMessage
	Dir     string
	Temps   []string
	Leaks   []string
	Command string
	Scrub   []string // variables that are removed after the start
}

func (o fakeOrder) monitor() (*fake.Monitor, error) {
	resolved, err := policy.DecodeResolved(o.Policy)
	if err != nil {
		return nil, err
	}
	return fake.NewMonitor(fake.Config{Policy: resolved, Dir: o.Dir, Temps: o.Temps, Leaks: o.Leaks, Command: o.Command})
}

// playInside is a process in a fake sandbox: the helper with a guard, or the
// owner of one.
func playInside(path string, args []string) int {
	role, ok := helperRole(args)
	text, err := os.ReadFile(path)
	var order fakeOrder
	if err == nil {
		err = json.Unmarshal(text, &order)
	}
	if err != nil || !ok {
		fmt.Fprintln(os.Stderr, "fake: this process has no sandbox:", err)
		return 2
	}
	m, err := order.monitor()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if len(role) > 0 && role[0] == fakeOwnRole {
		return playOwner(m, role[1:])
	}
	for _, name := range order.Scrub {
		os.Unsetenv(name)
	}
	// The system tells no longer who started it once that one has ended.
	parent, err := strconv.Atoi(os.Getenv(fakeChild))
	child := err == nil
	os.Setenv(fakeChild, strconv.Itoa(os.Getpid()))
	m.Enter(os.Getpid(), parent, processGroup())
	if _, err := os.Stat(filepath.Join(order.Dir, "closed")); err == nil {
		return 137 // it came up when the sandbox was over
	}
	if owner, err := strconv.Atoi(os.Getenv(fakeOwner)); err == nil && !m.Leaky("tree.owner") && (!child || !m.Leaky("tree.owner-detached")) {
		go func() {
			for alive(owner) {
				time.Sleep(20 * time.Millisecond)
			}
			os.Exit(137)
		}()
	}
	return inside.New(&guard{m, child}).Run(role)
}

// playOwner is the process that opened a sandbox: it runs the command and is
// there until that ends.
func playOwner(m *fake.Monitor, args []string) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), fakeOwner+"="+strconv.Itoa(os.Getpid()))
	switch {
	case m.Leaky("fd.all"):
	case m.Leaky("fd.high"):
		closeDescriptors(63, false)
	case m.Leaky("fd.directories"):
		closeDescriptors(1023, true)
	default:
		closeDescriptors(1023, false)
	}
	if m.Leaky("duty.background") {
		inBackground(cmd)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT) // it is for the command
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	process := commandProcess{cmd}
	exit, err := process.Wait()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	return exit.Code
}

// end ends the processes of a fake sandbox, as thoroughly as its leaks allow.
func (s *fakeSandbox) end() {
	m := s.monitor
	all := m.Entered()
	find := func(pid int) (fake.Process, bool) {
		i := slices.IndexFunc(all, func(p fake.Process) bool { return p.PID == pid })
		if i < 0 {
			return fake.Process{}, false
		}
		return all[i], true
	}
	// orphan reports whether a process cannot be found from the first one.
	orphan := func(p fake.Process) bool {
		parent, ok := find(p.Parent)
		return p.Parent != 0 && (!ok || parent.Parent != 0)
	}
	for _, p := range all {
		root := p
		for root.Parent != 0 {
			up, ok := find(root.Parent)
			if !ok {
				break
			}
			root = up
		}
		switch {
		case m.Leaky("tree.nothing"), m.Leaky("duty.close-waits"):
		case m.Leaky("tree.sessions") && p.Group != root.Group:
		case m.Leaky("tree.parents") && orphan(p):
		case m.Leaky("tree.polite"):
			endProcess(p.PID, s.order.Dir, syscall.SIGTERM)
		default:
			endProcess(p.PID, s.order.Dir, os.Kill)
		}
	}
}

// endProcess sends a signal to a process if it is still one of a sandbox.
func endProcess(pid int, dir string, how os.Signal) {
	if !belongs(pid, dir) {
		return
	}
	if p, err := os.FindProcess(pid); err == nil {
		p.Signal(how)
	}
}

// belongs reports whether a process has the order of a sandbox in its
// environment, where the system tells.
func belongs(pid int, dir string) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err != nil && alive(pid) || strings.Contains(string(text), fakeVariable+"="+dir)
}
