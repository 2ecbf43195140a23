// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

func TestOwnGroup(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0::/user.slice/session-1.scope\n":         "/user.slice/session-1.scope",
		"12:pids:/a\n1:name=systemd:/b\n0::/c d\n": "/c d",
		"0::/\n":               "/",
		"0::/../other\n":       "", // outside of the namespace
		"0::/gone (deleted)\n": "",
		"12:pids:/a\n":         "", // version 1 alone
		"":                     "",
	} {
		if got, ok := ownGroup(text); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, ok, want)
		}
	}
}

// TestNoCgroup gives a directory that is no file system of control groups, so
// nothing there has controllers.
func TestNoCgroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := cgroup(dir); got != nil {
		t.Errorf("an empty directory: %+v", got)
	}
	name, ok := ownGroup(setting("/proc/self/cgroup"))
	if !ok || name != "/" {
		t.Skip("this process is in no root group, whose files could be laid here")
	}
	for file, content := range map[string]string{"cgroup.procs": "", "cgroup.subtree_control": "cpu pids\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := cgroup(dir); got == nil || got.Dir != dir || !got.Pids || got.Memory {
		t.Errorf("with the controllers cpu and pids: %+v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.type"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := cgroup(dir); got != nil {
		t.Errorf("the root of a namespace: %+v", got)
	}
}

// TestLimitsOffered says what can be limited on which host.
func TestLimitsOffered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name              string
		facts             Facts
		group             *Cgroup
		memory, processes bool
	}{
		{"a user", userFacts(), nil, false, true},
		{"root", rootFacts(), nil, false, false},
		{"root with both controllers", rootFacts(), &Cgroup{Dir: "/g", Memory: true, Pids: true}, true, true},
		{"root with memory", rootFacts(), &Cgroup{Dir: "/g", Memory: true}, true, false},
		{"a user with pids", userFacts(), &Cgroup{Dir: "/g", Pids: true}, false, true},
	} {
		c.facts.Cgroup = c.group
		have := offers(c.facts)
		_, memory := have[guarantee.LimitMemory]
		_, processes := have[guarantee.LimitProcesses]
		if memory != c.memory || processes != c.processes {
			t.Errorf("%s: memory %v, processes %v", c.name, memory, processes)
		}
	}
}
