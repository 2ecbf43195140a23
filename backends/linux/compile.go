// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// compile makes the plan of a policy on a host of these facts. It is pure. The
// parts are: the tree of mounts (tree.go, with the other names of paths from
// aliases.go and what surround adds), the restrictions (restrict.go,
// syscalls.go) and claims (claims.go).
func compile(f Facts, r *policy.Resolved) (*plan.Plan, error) {
	if r.OS() != "linux" {
		return nil, diag.New(diag.ModeUnsupported, fmt.Sprintf("%s cannot uphold a policy for %s", Name, diag.Quote(r.OS())), "")
	}
	if err := refuse(r); err != nil {
		return nil, err
	}
	table, err := parseMounts(f.Mounts)
	if err != nil {
		return nil, diag.New(diag.PlanInvalid, "the facts of "+Name+": "+err.Error(), "")
	}
	p := &plan.Plan{Format: plan.Format, Backend: Name, OS: "linux", Arch: f.Arch}
	offline := r.Network().Mode != policy.Online
	kinds, ids := []string{"user", "mount", "pid", "net", "ipc", "uts", "cgroup"}, "self"
	if !offline {
		kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "net" })
	}
	if f.root() {
		ids = "all"
	}
	t := mountTree(f, r, table)
	p.Steps = append(p.Steps, plan.Namespaces{Kinds: kinds, IDs: ids, Loopback: offline}, plan.ReadOnlyRoot{}, scratch(f))
	p.Steps = append(p.Steps, t.steps...)
	watch := t.watch
	watch.Git = r.GitDirs()
	watch.Hidden = hiddenLinks(r)
	if len(watch.Quarantine)+len(watch.Report)+len(watch.Git)+len(watch.Hidden) > 0 {
		p.Steps = append(p.Steps, watch)
	}
	p.Steps = append(p.Steps, proc(f))
	out, joined := egress(r.Network())
	if joined {
		p.Steps = append(p.Steps, out)
	}
	p.Steps = append(p.Steps, restrictions(f, r, t.steps)...)
	p.Env = backend.Environment(r, cmp.Or(r.Tmp(), f.slashTmp()), backend.Proxy{Port: out.Proxy})
	served := networkMounts(table, t.steps)
	p.Notes = notes(r, served)
	p.Claims, p.Unmet = claims(f, r, served)
	return p, nil
}

// hiddenLinks returns the names by which links lead to hidden paths.
func hiddenLinks(r *policy.Resolved) []string {
	var names []string
	for _, l := range r.HiddenLinks() {
		if access, _ := r.AccessTo(l.Path); access == policy.Hidden && !within("/proc", l.Name) {
			names = append(names, l.Name)
		}
	}
	return names
}

// refuse refuses what a policy may say and this backend does not offer.
func refuse(r *policy.Resolved) error {
	if err := refusePorts(r.Network()); err != nil {
		return err
	}
	return refuseSystem(r)
}

// refuseSystem refuses to make writable what is the sandbox's or the kernel's.
func refuseSystem(r *policy.Resolved) error {
	for _, rule := range r.Rules() {
		if rule.Access == policy.Write && (within("/dev", rule.Path) || within("/proc", rule.Path)) {
			return diag.New(diag.RootUnwritable, diag.Quote(rule.Path)+" cannot be made writable: /dev and /proc are the sandbox's own", "")
		}
	}
	return nil
}

// scratchSource is the source that the launcher gives to the scratch, by which
// a caisson inside knows where it is.
const scratchSource = "caisson"

// scratch is the file system behind private directories: at most half of the
// memory, and no more than maxScratch.
func scratch(f Facts) plan.Scratch {
	const (
		maxScratch = 16 << 30
		perInode   = 16 << 10 // an inode takes about 1 KiB that cannot be swapped out
	)
	bytes := min(f.Memory/2, maxScratch) &^ 0xfff
	return plan.Scratch{Bytes: bytes, Inodes: max(bytes/perInode, 1024)}
}

// proc is the new /proc. The covered entries show keyrings of the host to
// everybody and the kernel's memory to root.
func proc(f Facts) plan.Proc {
	covered := []string{"keys", "key-users"}
	if f.root() {
		covered = append(covered, "kallsyms", "kcore", "kpagecount", "kpageflags", "timer_list")
	}
	return plan.Proc{Covered: covered}
}

// mountTree collects what has a place in the file system.
func mountTree(f Facts, r *policy.Resolved, table *mounts) *tree {
	t := &tree{items: make([]item, 0, 16+len(r.Rules())), steps: make([]plan.Step, 0, 32+len(r.Rules()))}
	t.addOwn("/dev", plan.Devices{Names: []string{"null", "zero", "full", "random", "urandom", "tty"}})
	t.addOwn("/dev/shm", plan.Private{Path: "/dev/shm", Mode: 0o1777})
	others := aliases(r.Rules(), table, f.FileMounts)
	around := surroundings(table, r.Rules(), f.FileMounts)
	for _, dir := range f.Temp {
		if dir == f.slashTmp() && tmpElsewhere(r, dir, slices.Concat(r.Rules(), others, around), table) {
			_, rule := r.AccessTo(r.Tmp())
			t.addOwn(dir, plan.Bind{Path: dir, Source: r.Tmp(), Access: "write", Kind: "dir", Role: "write", Dev: rule.Dev, Ino: rule.Ino})
			continue
		}
		t.addOwn(dir, plan.Private{Path: dir, Mode: 0o1777})
	}
	t.addRun(f.Run)
	t.addRules(r.Rules(), false)
	t.addRules(others, true)
	t.addRules(around, false)
	t.addSockets(r)
	t.build()
	return t
}

// tmpElsewhere reports whether the caller's temporary directory can be shown
// on /tmp too. It cannot where something else has its place below /tmp: there
// the mount points would have to be made in the caller's directory. Nor can it
// where a rule or a mount has its place in the caller's directory: nothing would
// restrict that under its second name.
func tmpElsewhere(r *policy.Resolved, tmp string, rules []policy.Rule, table *mounts) bool {
	dir := r.Tmp()
	if dir == "" {
		return false
	}
	for _, rule := range rules {
		if within(tmp, rule.Path) || within(dir, rule.Path) && (rule.Path != dir || rule.Access != policy.Write) {
			return false
		}
	}
	access, _ := r.AccessTo(dir)
	return access == policy.Write && !slices.ContainsFunc(table.list, func(m mount) bool { return m.point != dir && within(dir, m.point) })
}

// addRun rebuilds /run, which is full of sockets and of other people's state,
// from the things that programs need: names of DNS servers, the links of NixOS,
// mounted media, the device database.
func (t *tree) addRun(entries []Entry) {
	for _, e := range entries {
		switch {
		case e.Path == "/run":
			t.addOwn(e.Path, plan.Private{Path: "/run", Mode: 0o755, ReadOnly: true})
		case e.Kind == "symlink":
			t.addOwn(e.Path, plan.Link{Path: e.Path, Target: e.Target})
		default:
			t.addRule(&policy.Rule{Path: e.Path, Access: policy.Read, Kind: policy.Kind(e.Kind)}, false)
		}
	}
}

func notes(r *policy.Resolved, served []mount) []diag.Diagnostic {
	var list []diag.Diagnostic
	if r.Network().Mode == policy.Online {
		list = append(list, diag.Diagnostic{Code: diag.NetworkOpen,
			Message: "the network is the host's as it is: what listens on the host's loopback and on the local network can be reached"})
	}
	if len(served) > 0 {
		list = append(list, diag.Diagnostic{Code: diag.NetworkFS,
			Message: "readable file systems are served from elsewhere: " + nameMounts(served) + "; whoever serves one sees which names are looked up in it",
			Remedy:  "--hide PATH shuts one"})
	}
	return list
}

// nameMounts lists mounts with their types; of many only the first.
func nameMounts(list []mount) string {
	const most = 5
	var names []string
	for _, m := range list[:min(len(list), most)] {
		names = append(names, fmt.Sprintf("%s (%s)", diag.Quote(m.point), m.fstype))
	}
	if more := len(list) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
