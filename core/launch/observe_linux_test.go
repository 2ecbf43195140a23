// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestObservedCalls: each call that a plan may observe has a shape, and nothing
// else has.
func TestObservedCalls(t *testing.T) {
	t.Parallel()
	known := observedCalls()
	for _, name := range plan.Observed() {
		if _, ok := known[name]; !ok {
			t.Errorf("%s: nobody knows where its path is", name)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("%s: no plan may observe it", name)
	}
}

// TestObservingNeverAnswered: a call that the broker answers is not let go on.
func TestObservingNeverAnswered(t *testing.T) {
	t.Parallel()
	p := &plan.Plan{Steps: []plan.Step{plan.Seccomp{Newest: 400, Rules: []plan.SeccompRule{
		{Calls: []string{"connect", "openat"}, Action: "notify"},
		{Calls: []string{"openat", "connect", "mkdirat"}, Action: "observe"},
	}}}}
	got := observing(p)
	_, made := got[unix.SYS_MKDIRAT]
	if !made || len(got) != 1 {
		t.Errorf("observed: %v", got)
	}
}

// TestWhereInside follows paths as this process would.
func TestWhereInside(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return dir + "/" + name }
	for _, err := range []error{
		os.Mkdir(in("d"), 0o755), os.WriteFile(in("d/f"), nil, 0o644), os.Symlink("d", in("l")), os.Symlink("gone", in("dangling")),
		os.Symlink("circle", in("circle")), os.Symlink(in("d/new/x"), in("far")), os.Symlink("/proc/self", in("magic")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	at, err := unix.Open(in("d"), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(at)
	deep := strings.Repeat("n/", 70) + "n"
	for _, c := range []struct {
		dir    int
		name   string
		follow bool
		want   string
		found  bool
	}{
		{unix.AT_FDCWD, in("d/f"), true, in("d/f"), true},
		{at, "f", true, in("d/f"), true},
		{at, "../l/f", true, in("d/f"), true},
		{unix.AT_FDCWD, in("l/f"), true, in("d/f"), true},
		{unix.AT_FDCWD, in("l"), false, in("l"), true},
		{unix.AT_FDCWD, in("l"), true, in("d"), true},
		{unix.AT_FDCWD, in("l/new"), true, in("d/new"), false},
		{unix.AT_FDCWD, in("d/x/y/z"), true, in("d/x/y/z"), false},
		{unix.AT_FDCWD, in("dangling"), true, in("gone"), false},
		{unix.AT_FDCWD, in("dangling"), false, in("dangling"), true},
		{unix.AT_FDCWD, in("far"), true, in("d/new/x"), false},
		{unix.AT_FDCWD, in("d/../d/f"), true, in("d/f"), true},
		{unix.AT_FDCWD, in("d/f") + "/", true, in("d/f"), false},
		{unix.AT_FDCWD, in(deep), true, in(deep), false},
		{unix.AT_FDCWD, "/", true, "/", true},
	} {
		got, found, ok := whereInside(os.Getpid(), c.dir, c.name, c.follow)
		if !ok || got != c.want || found != c.found {
			t.Errorf("%s: %q, %v, %v", c.name, got, found, ok)
		}
	}
	for _, name := range []string{"/proc/self/fd/0", "/proc/1/x", in("magic/fd")} {
		if got, _, ok := whereInside(os.Getpid(), unix.AT_FDCWD, name, true); ok {
			t.Errorf("%s leads to %s", name, got)
		}
	}
	if got, _, ok := whereInside(os.Getpid(), unix.AT_FDCWD, in("circle"), true); !ok || !slices.Contains([]string{in("circle")}, got) {
		t.Errorf("a circle leads to %q", got)
	}
	if _, _, ok := whereInside(os.Getpid(), 999, "x", true); ok {
		t.Error("a descriptor that is not there leads somewhere")
	}
}
