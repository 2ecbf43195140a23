// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestCgroupElsewhere has a plan name a directory that is no control group.
// Where it is one is tried by the limits of core/sandbox.
func TestCgroupElsewhere(t *testing.T) {
	t.Parallel()
	dir, state := t.TempDir(), t.TempDir()
	p := &plan.Plan{Steps: []plan.Step{plan.Limits{Memory: 1 << 20, Cgroup: dir}}}
	c, err := newCgroup(p, Options{StateDir: state})
	if c != nil || err == nil || !strings.Contains(err.Error(), "no control group of version 2") {
		t.Errorf("got %v, %v", c, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it holds %v, %v", left, err)
	}
	if c, err := newCgroup(&plan.Plan{Steps: []plan.Step{plan.Limits{Core: 1}}}, Options{}); c != nil || err != nil {
		t.Errorf("without a limit: %v, %v", c, err)
	}
}

// TestCgroupSweepElsewhere lays a directory with the name of a sandbox's group
// where groups were noted and there are none any more: it stays.
func TestCgroupSweepElsewhere(t *testing.T) {
	t.Parallel()
	state, dir := t.TempDir(), t.TempDir()
	kept := filepath.Join(dir, cgroupPrefix+"1")
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(t.TempDir(), "gone")
	for _, parent := range []string{dir, dir, gone} {
		if err := noteCgroups(state, parent); err != nil {
			t.Fatal(err)
		}
	}
	collectCgroups(state, func(d diag.Diagnostic) { t.Errorf("reported: %v", d) })
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
	if links, err := os.ReadDir(cgroupsDir(state)); err != nil || len(links) != 1 {
		t.Errorf("of two notes, one of what is gone, are left: %v, %v", links, err)
	}
}

// TestCgroupOfWrapper has a plan that another program carries out limit memory:
// what that starts would be outside of the group.
func TestCgroupOfWrapper(t *testing.T) {
	t.Parallel()
	p := &plan.Plan{Steps: []plan.Step{plan.Limits{Memory: 1 << 20, Cgroup: "/sys/fs/cgroup"}, plan.Wrap{}}}
	_, err := Open(t.Context(), p, Options{})
	var d *diag.Diagnostic
	if !errors.As(err, &d) || d.Code != diag.PlanInvalid || !strings.Contains(d.Message, "control group") {
		t.Errorf("got %v", err)
	}
}

func TestCgroupEvents(t *testing.T) {
	t.Parallel()
	c := &cgroup{path: t.TempDir()}
	text := "low 0\nhigh 0\nmax 41\noom 2\noom_kill 3\noom_group_kill 4\n"
	if err := os.WriteFile(filepath.Join(c.path, "memory.events"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{"oom_kill": 3, "max": 41, "oom": 2, "other": 0} {
		if got := c.event("memory.events", name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if got := c.event("pids.events", "max"); got != 0 {
		t.Errorf("a file that is not there: %d", got)
	}
}
