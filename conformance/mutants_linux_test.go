// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package conformance

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// knocked is a backend whose plans lack something, and claim it all the same.
type knocked struct {
	backend.Backend
	change func(*plan.Plan)
}

func (k knocked) Prepare(ctx context.Context, r backend.Request) (*plan.Plan, error) {
	p, err := k.Backend.Prepare(ctx, r)
	if err == nil {
		p.Steps = slices.Clone(p.Steps)
		k.change(p)
	}
	return p, err
}

// knockout takes one mechanism out of the plan. Each of the cases must fail
// then, else the suite does not see whether the mechanism works.
type knockout struct {
	name    string
	change  func(*plan.Plan)
	notices []string
	still   []string // what another wall keeps, so that it must pass all the same
}

// pins keep what holds something protected where it is.
const pins = "the pins"

// drop takes out steps.
func drop(f func(plan.Step) bool) func(*plan.Plan) {
	return func(p *plan.Plan) { p.Steps = slices.DeleteFunc(p.Steps, f) }
}

// edit puts f(step) in the place of every step of a kind.
func edit[S plan.Step](f func(S) S) func(*plan.Plan) {
	return func(p *plan.Plan) {
		for i, s := range p.Steps {
			if s, ok := s.(S); ok {
				p.Steps[i] = f(s)
			}
		}
	}
}

func is[S plan.Step](s plan.Step) bool { _, ok := s.(S); return ok }

// unfiltered takes the rules about some calls out of the filter.
func unfiltered(calls ...string) func(*plan.Plan) {
	return edit(func(f plan.Seccomp) plan.Seccomp {
		f.Rules = slices.DeleteFunc(slices.Clone(f.Rules), func(r plan.SeccompRule) bool {
			return r.Action == "errno" && slices.ContainsFunc(r.Calls, func(c string) bool { return slices.Contains(calls, c) })
		})
		return f
	})
}

// without leaves a kind of namespace the host's.
func without(kind string) func(*plan.Plan) {
	return edit(func(n plan.Namespaces) plan.Namespaces {
		n.Kinds = slices.DeleteFunc(slices.Clone(n.Kinds), func(k string) bool { return k == kind })
		n.Loopback = n.Loopback && kind != "net"
		return n
	})
}

// role takes out the binds of a role.
func role(name string) func(*plan.Plan) {
	return drop(func(s plan.Step) bool { b, ok := s.(plan.Bind); return ok && b.Role == name })
}

// shared leaves a private directory the host's, and writable.
func shared(path string) func(*plan.Plan) {
	return func(p *plan.Plan) {
		for i, s := range p.Steps {
			if d, ok := s.(plan.Private); ok && d.Path == path {
				p.Steps[i] = plan.Bind{Path: path, Source: path, Access: "write", Kind: "dir", Role: "write"}
			}
		}
	}
}

// writableAround makes what lies around a writable root as writable as it is.
func writableAround(p *plan.Plan) {
	edit(func(b plan.Bind) plan.Bind {
		if b.Role == "root" {
			b.Path, b.Dev, b.Ino = filepath.Dir(b.Path), 0, 0
		}
		return b
	})(p)
}

// hostDevices are the character devices of the host's /dev.
func hostDevices() []string {
	var names []string
	entries, _ := os.ReadDir("/dev")
	for _, e := range entries {
		if e.Type()&os.ModeCharDevice != 0 && e.Name() != "console" && e.Name() != "ptmx" {
			names = append(names, e.Name())
		}
	}
	return names
}

func both(first, second func(*plan.Plan)) func(*plan.Plan) {
	return func(p *plan.Plan) { first(p); second(p) }
}

// knockouts lists the mechanisms that one case can see missing. Not among them:
// the rules about TIOCSTI, which the kernel refuses to those without
// capabilities by itself, and those about bpf, likewise; the new /proc, /dev and
// pid, user and mount namespaces, without which the launcher makes no sandbox;
// what only processes of a killed owner could show, since such an owner knows
// the real backend alone.
func knockouts() []knockout {
	return []knockout{
		{"all rules of the filter", edit(func(f plan.Seccomp) plan.Seccomp { f.Rules = f.Rules[:1]; return f }), []string{"kernel-01", "kernel-12", "privilege-03", "unix-08"}, nil},
		{"the filter's rules about namespaces", unfiltered("clone", "unshare", "clone3", "setns"), []string{"privilege-05"}, nil},
		{"the filter's rules about mounts, and the privileges", both(unfiltered("mount", "umount2", "pivot_root", "chroot", "open_tree", "fsopen"), drop(is[plan.Privileges])),
			[]string{"kernel-13", "privilege-07"}, nil},
		{"the filter's rules about io_uring", unfiltered("io_uring_setup"), []string{"kernel-01"}, nil},
		{"the filter's rules about keyrings", unfiltered("keyctl"), []string{"kernel-05", "kernel-06"}, nil},
		{"the filter's rules about page faults", unfiltered("userfaultfd"), []string{"kernel-03"}, nil},
		{"the filter's rules about performance events", unfiltered("perf_event_open"), []string{"kernel-04"}, nil},
		{"the filter's rules about fanotify", unfiltered("fanotify_init"), []string{"kernel-07"}, nil},
		{"the filter's rules about modes", unfiltered("openat", "chmod", "fchmod", "fchmodat"), []string{"privilege-03", "privilege-04"}, nil},
		{"the filter's rules about sockets", unfiltered("socket"), []string{"kernel-09", "kernel-10", "kernel-11", "kernel-12", "unix-08"}, nil},
		{"the network namespace", without("net"), []string{"net-01", "net-02", "net-03", "net-05", "net-14", "unix-07"}, nil},
		{"the IPC namespace", without("ipc"), []string{"ipc-01", "ipc-02", "ipc-03", "residue-03"}, nil},
		{"the read-only root", writableAround, []string{"meta-01", "meta-03"}, []string{"write-02", "write-06"}},
		{"the read-only root, and landlock", both(writableAround, edit(func(plan.Landlock) plan.Landlock { return plan.Landlock{Handled: []string{"make_block"}} })),
			[]string{"write-02", "write-06", "write-16"}, nil},
		{"the private /tmp", shared("/tmp"), []string{"tmp-01", "tmp-02", "tmp-03", "tmp-08"}, nil},
		{"the private /var/tmp", shared("/var/tmp"), []string{"tmp-04", "tmp-05", "tmp-06"}, nil},
		{"the private /dev/shm", shared("/dev/shm"), []string{"ipc-04", "ipc-07", "residue-04"}, nil},
		{"the choice of devices", edit(func(d plan.Devices) plan.Devices { d.Names = hostDevices(); return d }), []string{"device-01"}, nil},
		{"the covers", uncovered, []string{"hide-01", "hide-02", "hide-07", "hide-13", "hide-15", "hide-16"}, nil},
		{"the protecting binds", role("protect"), []string{"protect-01", "protect-02", "protect-21", "protect-22"}, nil},
		{pins, role("pin"), []string{"protect-06"}, nil},
		{"the holds", drop(is[plan.Hold]), []string{"protect-17", "protect-18"}, nil},
		{"the broker", func(p *plan.Plan) {
			drop(is[plan.Broker])(p)
			edit(func(f plan.Seccomp) plan.Seccomp {
				f.Rules = slices.DeleteFunc(slices.Clone(f.Rules), func(r plan.SeccompRule) bool { return r.Action == "notify" })
				return f
			})(p)
		}, []string{"unix-01", "unix-02", "unix-05"}, nil},
		{"the privileges", drop(is[plan.Privileges]), []string{"privilege-06"}, nil},
		{"the covers in /proc", edit(func(p plan.Proc) plan.Proc { p.Covered = nil; return p }), []string{"ipc-08"}, nil},
		{"the edits of the environment", func(p *plan.Plan) { p.Env = nil }, []string{"work-23"}, nil},
	}
}

// uncovered takes out the covers, and what is shown again within them.
func uncovered(p *plan.Plan) {
	var covers []string
	for _, s := range p.Steps {
		if c, ok := s.(plan.Cover); ok {
			covers = append(covers, c.Path)
		}
	}
	in := func(name string) bool {
		return slices.ContainsFunc(covers, func(c string) bool { return name == c || strings.HasPrefix(name, c+"/") })
	}
	drop(func(s plan.Step) bool {
		switch s := s.(type) {
		case plan.Cover:
			return true
		case plan.MountPoint:
			return in(s.Path)
		case plan.Bind:
			return in(s.Path)
		}
		return false
	})(p)
}

// TestKnockOut judges the Linux backend with each mechanism out of its plans:
// the suite must notice.
func TestKnockOut(t *testing.T) {
	b := sandbox.Backends()[0]
	if r, err := b.Probe(t.Context()); err != nil || !r.Usable {
		t.Skipf("SKIPPED: this host cannot use the backend: %v %v", err, r.Unmet)
	}
	bench := newBench(t)
	table := Cases()
	for _, k := range knockouts() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := bench.runner(t, backendTarget{knocked{b, k.change}}, 10*time.Second)
			r.ownable = true
			for _, c := range table {
				if slices.Contains(k.still, c.ID) {
					if v, why := r.verdict(t.Context(), c); v != Pass {
						t.Errorf("another wall does not keep %s: %s %s", c.ID, v, why)
					}
				}
			}
			noticed := 0
			for _, id := range k.notices {
				i := slices.IndexFunc(table, func(c Case) bool { return c.ID == id })
				if i < 0 {
					t.Errorf("there is no case %s", id)
					continue
				}
				c := table[i]
				if why := missing(c.Needs, r.info.Has); why != "" {
					continue
				}
				if v, _ := judgeControl(c, r.arm(t.Context(), c, bare)); v == NotApplicable {
					continue
				}
				v, why := r.verdict(t.Context(), c)
				if v == Error && k.name == pins && strings.Contains(why, "the helper did not answer") {
					v = Fail // the launcher sees the harm too, and may kill the sandbox before the answer
				}
				if v != Fail {
					t.Errorf("%s does not notice: %s %s", id, v, why)
				}
				noticed++
			}
			if noticed == 0 && os.Geteuid() == 0 {
				t.Error("no case notices, or none applies")
			}
		})
	}
}
