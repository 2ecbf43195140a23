// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// Config says what a Monitor obeys.
type Config struct {
	Policy *policy.Resolved
	// Dir belongs to the sandbox: it holds the private temporary directories
	// and the registers of processes and servers. Monitors of several processes
	// share it. Its parent is shared by sandboxes of one owner.
	Dir string
	// Temps are the directories that are private to the sandbox.
	Temps []string
	// Leaks are names of Leaks: what the monitor gets wrong.
	Leaks []string
	// Command names the command of a sandbox that runs several.
	Command string
}

// Monitor decides whether acts are allowed by a policy. It looks at files, but
// commits no act and needs no help of the kernel: whoever asks must ask before
// every act, and commit the act that Decide returns. It is safe for concurrent
// use.
type Monitor struct {
	Config
	leaks map[string]leak

	mu sync.Mutex // guards the making of facades
}

// NewMonitor makes a Monitor; its directories are made where they are missing.
func NewMonitor(c Config) (*Monitor, error) {
	if c.Policy == nil || !filepath.IsAbs(c.Dir) {
		return nil, errors.New("fake: a monitor needs a policy and an absolute directory")
	}
	m := &Monitor{Config: c, leaks: map[string]leak{}}
	table := leaks()
	for _, name := range c.Leaks {
		i := slices.IndexFunc(table, func(l leak) bool { return l.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("fake: there is no leak %q", name)
		}
		m.leaks[name] = table[i]
	}
	_, made := os.Stat(m.register("facades"))
	if _, err := os.Stat(m.private(devicesDir)); err == nil && made == nil {
		return m, nil // another process of the sandbox made them
	}
	dirs := []string{m.register("processes"), m.register("servers"), m.private(devicesDir)}
	for _, t := range c.Temps {
		dirs = append(dirs, m.private(t))
	}
	for _, dir := range append(dirs, m.register("facades")) {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, fmt.Errorf("fake: %w", err)
		}
	}
	for _, name := range devices() {
		if err := os.WriteFile(filepath.Join(m.private(devicesDir), name), nil, 0o600); err != nil {
			return nil, fmt.Errorf("fake: %w", err)
		}
	}
	return m, nil
}

// Leaky reports whether the monitor has a leak. What plays the rest of a
// sandbox asks for those that no decision about an act can have.
func (m *Monitor) Leaky(name string) bool { _, ok := m.leaks[name]; return ok }

// Check reports whether an act is allowed; the error is a *Denied otherwise, or
// says why it could not be decided.
func (m *Monitor) Check(a Act) error { _, err := m.Decide(a); return err }

// Decide is Check, and returns the act as it is to be committed: its paths lead
// to where they were found to lead, and so without links; paths in private
// directories and servers of the sandbox are where the sandbox keeps them.
func (m *Monitor) Decide(a Act) (Act, error) {
	commit, broken, err := m.judge(a)
	if err != nil {
		return a, err
	}
	for _, v := range broken {
		if !m.blind(a, v) {
			return a, &Denied{Act: a, Guarantee: v.guarantee, Target: v.target}
		}
	}
	if m.refuses(a) {
		return a, &Denied{Act: a, Target: a.Path}
	}
	return commit, nil
}

// blind reports whether a leak keeps the monitor from seeing a violation.
func (m *Monitor) blind(a Act, v violation) bool {
	for _, l := range m.leaks {
		if l.blind != nil && l.blind(m, a, v) {
			return true
		}
	}
	return false
}

// register is a directory of the sandbox's own.
func (m *Monitor) register(kind string) string { return filepath.Join(m.Dir, kind) }

// Enter notes a process of the sandbox and the one that started it, 0 for the
// first of a command. group is its process group or session, 0 where the system
// has none.
func (m *Monitor) Enter(pid, parent, group int) error {
	text := fmt.Sprintf("%d %d %s", parent, group, m.Command)
	return os.WriteFile(filepath.Join(m.register("processes"), strconv.Itoa(pid)), []byte(text), 0o600)
}

// Process is one process that entered.
type Process struct {
	PID, Parent, Group int
	Command            string
}

// Entered returns the processes that ever entered, the oldest numbers first.
func (m *Monitor) Entered() []Process { return entered(m.register("processes")) }

func entered(dir string) []Process {
	var all []Process
	names, _ := os.ReadDir(dir)
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		text, other := os.ReadFile(filepath.Join(dir, n.Name()))
		fields := strings.SplitN(string(text), " ", 3)
		if err != nil || other != nil || len(fields) < 3 {
			continue
		}
		p := Process{PID: pid, Command: fields[2]}
		p.Parent, _ = strconv.Atoi(fields[0])
		p.Group, _ = strconv.Atoi(fields[1])
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	return all
}

// own reports whether a process, or a group if the number is below 0, is the
// sandbox's.
func (m *Monitor) own(pid int) bool {
	return slices.ContainsFunc(m.Entered(), func(p Process) bool { return pid > 0 && p.PID == pid || pid < 0 && p.Group == -pid })
}

// sibling reports whether a process belongs to another sandbox of one owner.
func (m *Monitor) sibling(pid int) bool {
	boxes, _ := os.ReadDir(filepath.Dir(m.Dir))
	for _, b := range boxes {
		_, err := os.Stat(filepath.Join(filepath.Dir(m.Dir), b.Name(), "processes", strconv.Itoa(pid)))
		if b.Name() != filepath.Base(m.Dir) && err == nil {
			return true
		}
	}
	return false
}
