// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/core/envfilter"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// fakeTarget is a sandbox without any kernel: the helper itself asks a monitor
// before each act. It is for judging the suite; nothing is safe in it.
type fakeTarget struct {
	dir   string   // of its sandboxes
	leaks []string // what it gets wrong
	owner []string // the helper that owns sandboxes; nil where this process does

	all *fakeSandboxes
}

type fakeSandboxes struct {
	mu   sync.Mutex
	list []*fakeSandbox
}

// newFakeTarget makes a target whose sandboxes lie below a short directory: the
// names of sockets in it are bounded.
func newFakeTarget(leaks ...string) (*fakeTarget, error) {
	dir, err := os.MkdirTemp("", "cf")
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	return &fakeTarget{dir: dir, leaks: leaks, all: &fakeSandboxes{}}, err
}

// remove ends what the leaks left running, and removes the sandboxes.
func (t *fakeTarget) remove() {
	for _, s := range t.all.list {
		for _, p := range s.monitor.Entered() {
			endProcess(p.PID, s.order.Dir, os.Kill)
		}
	}
	removeAll(t.dir)
}

func (t *fakeTarget) Info(context.Context) (Info, error) {
	return Info{Name: "fake", Kind: "backend", Has: []Need{NeedMany, NeedOracle, NeedFiles, NeedDenials}}, nil
}

func (t *fakeTarget) ownable() bool { return true }

func (t *fakeTarget) owned(helper []string) Target {
	owned := *t
	owned.owner = helper
	return &owned
}

func (t *fakeTarget) Open(_ context.Context, s Spec) (Sandbox, error) {
	resolved, _, err := policyOf(s).Resolve(policy.OSHost())
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(resolved)
	if err != nil {
		return nil, err
	}
	box := &fakeSandbox{target: t, spec: s, resolved: resolved}
	box.order = fakeOrder{Policy: text, Temps: fakeTemps(), Leaks: t.leaks}
	if box.order.Dir, err = os.MkdirTemp(t.dir, "b"); err != nil {
		return nil, err
	}
	if box.monitor, err = box.order.monitor(); err != nil {
		return nil, err
	}
	// A program of another user's may come to run inside.
	if err := errors.Join(os.Chmod(box.order.Dir, 0o777), os.Chmod(filepath.Join(box.order.Dir, "processes"), 0o777)); err != nil {
		return nil, err
	}
	t.all.mu.Lock()
	t.all.list = append(t.all.list, box)
	t.all.mu.Unlock()
	box.lay()
	if s.Timeout > 0 && !box.leaky("limit.time") {
		box.timer = time.AfterFunc(s.Timeout, box.expire)
	}
	return box, nil
}

// fakeTemps are the directories that are private in a fake sandbox.
func fakeTemps() []string {
	temps := []string{filepath.Clean(os.TempDir())}
	if runtime.GOOS != "windows" {
		temps = append(temps, "/tmp", "/var/tmp")
	}
	if runtime.GOOS == "linux" {
		temps = append(temps, "/dev/shm")
	}
	for _, dir := range slices.Clone(temps) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			temps = append(temps, real)
		}
	}
	slices.Sort(temps)
	return slices.Compact(temps)
}

type fakeSandbox struct {
	target   *fakeTarget
	spec     Spec
	resolved *policy.Resolved
	order    fakeOrder
	monitor  *fake.Monitor
	timer    *time.Timer

	mu      sync.Mutex
	started int
	closed  bool
}

func (s *fakeSandbox) leaky(name string) bool { return s.monitor.Leaky(name) }

func (s *fakeSandbox) Claims() guarantee.Set {
	claims := guarantee.Set{}
	for _, i := range guarantee.All() {
		claims[i.ID] = guarantee.Claim{By: guarantee.ByLaunch}
	}
	return claims
}

// Resolved is for the oracle cases.
func (s *fakeSandbox) Resolved() *policy.Resolved { return s.resolved }

// Close ends the processes and removes what belongs to the sandbox, but for
// what leaks leave.
func (s *fakeSandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	err := os.WriteFile(filepath.Join(s.order.Dir, "closed"), nil, 0o600)
	s.end()
	if s.leaky("residue.times") {
		for _, path := range s.held() {
			os.WriteFile(path, nil, 0o600)
			os.Remove(path)
		}
	}
	return err
}

// expire is the end of the sandbox's time.
func (s *fakeSandbox) expire() {
	if !s.leaky("limit.time-command") {
		s.Close()
		return
	}
	for _, p := range s.monitor.Entered() {
		if p.Parent == 0 {
			endProcess(p.PID, s.order.Dir, os.Kill)
		}
	}
}

// lay leaves what some leaks leave.
func (s *fakeSandbox) lay() {
	if s.leaky("residue.beside") {
		os.WriteFile(filepath.Join(filepath.Dir(s.spec.Workspace), "sandbox.lock"), nil, 0o600)
	}
	if s.leaky("residue.placeholders") || s.leaky("residue.orphans") && s.target.owner != nil {
		for _, path := range s.held() {
			os.WriteFile(path, nil, 0o600)
		}
	}
}

// held are the absent names of the workspace that must stay absent.
func (s *fakeSandbox) held() []string {
	var all []string
	for _, r := range s.resolved.Rules() {
		if r.Hold != policy.HoldNone && r.Hold != policy.HoldReport && strings.HasPrefix(r.Path, s.spec.Workspace) {
			all = append(all, r.Path)
		}
	}
	return all
}

// environ is the environment of the commands, and the names that are removed
// from it later.
func (s *fakeSandbox) environ() (env, scrub []string) {
	rules := envfilter.Rules{FoldCase: runtime.GOOS == "windows"}
	alone := func(v string) bool { kept, _ := envfilter.Filter([]string{v}, rules); return len(kept) > 0 }
	switch {
	case s.leaky("duty.no-environment"):
		return nil, nil
	case s.leaky("env.sockets"):
		rules.Pass = []string{"SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "GPG_AGENT_INFO", "VSCODE_IPC_HOOK_CLI"}
	case s.leaky("env.loaders"):
		rules.Pass = []string{"BASH_ENV", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT"}
	case s.leaky("env.all"):
		rules.All = true
	}
	kept, dropped := envfilter.Filter(s.spec.Environ, rules)
	for _, v := range s.spec.Environ {
		name, value, _ := strings.Cut(v, "=")
		if s.leaky("env.names") && alone(name+"=x") && !alone(v) || s.leaky("env.values") && alone("BAIT="+value) && !alone(v) {
			kept = append(kept, v)
		}
	}
	if s.leaky("env.memory") {
		for _, d := range dropped {
			scrub = append(scrub, d.Name)
		}
		return s.spec.Environ, scrub
	}
	if !s.leaky("duty.callers-temporary") {
		for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
			kept = append(kept, name+"="+filepath.Clean(os.TempDir()))
		}
	}
	return kept, nil
}

// denials are the targets that monitors noted.
func (s *fakeSandbox) denials() []string {
	text, _ := os.ReadFile(filepath.Join(s.order.Dir, "denials"))
	return slices.DeleteFunc(strings.Split(string(text), "\x00"), func(d string) bool { return d == "" })
}

// next makes the order of one more command.
func (s *fakeSandbox) next(scrub []string) (path string, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", 0, errors.New("the sandbox is closed")
	}
	s.started++
	order := s.order
	order.Command, order.Scrub = fmt.Sprintf("c%d", s.started), scrub
	text, err := json.Marshal(order)
	if err != nil {
		return "", 0, err
	}
	path = filepath.Join(order.Dir, order.Command+".json")
	return path, s.started, os.WriteFile(path, text, 0o644)
}
