// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// knockout takes one wall out of a plan. Each of the attacks must do harm then,
// else the suite does not see whether the wall stands.
type knockout struct {
	name    string
	change  func([]plan.Step) []plan.Step
	attacks []string
}

// drop returns a change that takes out the steps of which f holds.
func drop(f func(plan.Step) bool) func([]plan.Step) []plan.Step {
	return func(steps []plan.Step) []plan.Step { return slices.DeleteFunc(slices.Clone(steps), f) }
}

// each returns a change that puts f(step) in the place of every step.
func each(f func(plan.Step) plan.Step) func([]plan.Step) []plan.Step {
	return func(steps []plan.Step) []plan.Step {
		steps = slices.Clone(steps)
		for i := range steps {
			steps[i] = f(steps[i])
		}
		return steps
	}
}

// uncovered takes out the covers, and what is shown again within them.
func uncovered(steps []plan.Step) []plan.Step {
	var covers []string
	for _, s := range steps {
		if c, ok := s.(plan.Cover); ok {
			covers = append(covers, c.Path)
		}
	}
	in := func(name string) bool {
		return slices.ContainsFunc(covers, func(c string) bool { return name == c || strings.HasPrefix(name, c+"/") })
	}
	return drop(func(s plan.Step) bool {
		switch s := s.(type) {
		case plan.Cover:
			return true
		case plan.MountPoint:
			return in(s.Path)
		case plan.Bind:
			return in(s.Path)
		}
		return false
	})(steps)
}

func knockouts() []knockout {
	toothless := each(func(s plan.Step) plan.Step {
		if _, ok := s.(plan.Landlock); ok {
			return plan.Landlock{Handled: []string{"make_block"}}
		}
		return s
	})
	filtered := []string{"kernel/io_uring_setup", "kernel/seccomp-listener", "setid/chmod", "setid/openat-high", "socket/unix-datagram", "socket/netlink-uevent", "terminal/tioclinux"}
	if os.Geteuid() != 0 { // a caller with capabilities is safe from those without
		filtered = append(filtered, "caller/nice-group")
	}
	return []knockout{
		{"landlock", toothless, []string{"caller/kill-group"}},
		{"seccomp", each(func(s plan.Step) plan.Step {
			if f, ok := s.(plan.Seccomp); ok {
				f.Rules = f.Rules[:1]
				return f
			}
			return s
		}), filtered},
		{"covers", uncovered, []string{"hidden/ssh", "hidden/list", "hidden/policy", "hidden/symlink"}},
		{"protecting binds", drop(func(s plan.Step) bool {
			b, ok := s.(plan.Bind)
			return ok && (b.Role == "protect" || b.Role == "pin")
		}), []string{"protected/config-write", "protected/hook-create", "protected/git-rename", "protected/policy-rule"}},
		{"holds", drop(func(s plan.Step) bool { _, ok := s.(plan.Hold); return ok }), []string{"protected/mcp-absent", "protected/commondir", "protected/claude-absent"}},
		{"watch", drop(func(s plan.Step) bool { _, ok := s.(plan.Watch); return ok }), []string{"protected/envrc-absent", "protected/vscode-absent"}},
		{"read-only root", func(steps []plan.Step) []plan.Step {
			above := ""
			steps = each(func(s plan.Step) plan.Step {
				b, ok := s.(plan.Bind)
				if ok && b.Role == "root" {
					// The world's outside becomes as writable as the workspace.
					b.Path, b.Ino, b.Dev = filepath.Dir(b.Path), 0, 0
					above = b.Path
					return b
				}
				return s
			})(steps)
			return drop(func(s plan.Step) bool { // that would bury it, which kills the sandbox
				c, ok := s.(plan.Cover)
				return ok && strings.HasPrefix(c.Path, above+"/")
			})(steps)
		}, []string{"file/chmod-raw", "file/utimensat", "file/chown-self"}},
		{"network", each(func(s plan.Step) plan.Step {
			if n, ok := s.(plan.Namespaces); ok {
				n.Kinds = slices.DeleteFunc(slices.Clone(n.Kinds), func(k string) bool { return k == "net" })
				n.Loopback = false
				return n
			}
			return s
		}), []string{"net/tcp4", "net/udp4"}},
	}
}

// TestKnockOut runs attacks against sandboxes that lack a wall.
func TestKnockOut(t *testing.T) {
	t.Parallel()
	table := attacks()
	for _, k := range knockouts() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			for _, id := range k.attacks {
				i := slices.IndexFunc(table, func(a attack) bool { return a.id == id })
				if i < 0 {
					t.Errorf("there is no attack %s", id)
					continue
				}
				a := table[i]
				if said, harm := k.try(t, a); harm == "" {
					t.Errorf("without the %s the attack %s does no harm: %s", k.name, id, said)
				}
			}
		})
	}
}

func (k *knockout) try(t *testing.T, a attack) (said, harm string) {
	if a.caller {
		return runCaller(t, a, k.name)
	}
	w := newWorld(t)
	b := a.lay(w)
	sb, err := openWithout(w.policy(), k.name)
	if err != nil {
		t.Fatal(err)
	}
	said = w.inside(sb, a.id, b)
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	return said, b.harm(said, 0)
}

// openWithout opens a sandbox that lacks a wall; the empty name is none.
func openWithout(p policy.Policy, wall string) (*sandbox.Sandbox, error) {
	prepared, err := sandbox.Prepare(context.Background(), p, nil)
	if err != nil {
		return nil, err
	}
	for _, k := range knockouts() {
		if k.name == wall {
			prepared.Plan.Steps = k.change(prepared.Plan.Steps)
		}
	}
	return prepared.Open(context.Background())
}
