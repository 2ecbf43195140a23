// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"fmt"
	"path"
	"slices"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// compileFence makes the plan of a policy on a host without namespaces. It is
// pure. Nothing is mounted: what may be read and written are rules of Landlock,
// and what that does not cover is refused by the filter or answered by the
// supervisor.
func compileFence(f Facts, r *policy.Resolved) (*plan.Plan, error) {
	if r.OS() != "linux" {
		return nil, diag.New(diag.ModeUnsupported, fmt.Sprintf("%s cannot uphold a policy for %s", LandlockName, diag.Quote(r.OS())), "")
	}
	if err := refuseFenced(f, r); err != nil {
		return nil, err
	}
	table, err := parseMounts(f.Mounts)
	if err != nil {
		return nil, diag.New(diag.PlanInvalid, "the facts of "+LandlockName+": "+err.Error(), "")
	}
	p := &plan.Plan{Format: plan.Format, Backend: LandlockName, OS: "linux", Arch: f.Arch}
	if r.Tmp() == "" {
		p.Steps = append(p.Steps, plan.TempDir{Parent: f.Fence.parent()})
	}
	if w := fenceWatch(r); len(w.Quarantine)+len(w.Report)+len(w.Git) > 0 {
		p.Steps = append(p.Steps, w)
	}
	p.Steps = append(p.Steps, fenceLimits(f, r), plan.ProcessGroup{Own: !f.signalScope()})
	if f.connects(r) {
		p.Steps = append(p.Steps, plan.Broker{Allow: r.Network().Unix, Makes: !f.copies()})
	}
	if f.answers() {
		p.Steps = append(p.Steps, plan.Metadata{Protect: protectedInside(r)})
	}
	p.Steps = append(p.Steps, plan.Privileges{}, fenceLandlock(f, r, table), fenceFilter(f, r))
	p.Env = backend.Environment(r, r.Tmp(), backend.Proxy{}) // without one, TMPDIR is the launcher's to set
	served := slices.DeleteFunc(slices.Clone(table.list), func(m mount) bool {
		access, _ := r.AccessTo(m.point)
		return !table.visible(m) || within("/proc", m.point) || access == policy.Hidden || !serves(m.fstype) && m.fstype != "autofs"
	})
	p.Notes = fenceNotes(f, r, served)
	p.Claims, p.Unmet = fenceClaims(f, r, served)
	return p, nil
}

// fenceLimits are the limits without a user namespace, in which alone
// RLIMIT_NPROC counts a sandbox.
func fenceLimits(f Facts, r *policy.Resolved) plan.Limits {
	l := limits(f, r)
	if l.ProcessesBy == "rlimit" {
		l.Processes, l.ProcessesBy = 0, ""
	}
	return l
}

// parent is where directories for temporary files are made; nil facts are those
// of a host that was recorded without it.
func (f *Fence) parent() string {
	if f == nil || f.Parent == "" {
		return "/tmp/caisson"
	}
	return f.Parent
}

// answers reports whether a supervisor can answer calls of the commands.
func (f *Facts) answers() bool { return f.Notify }

// copies reports whether it can copy their descriptors, too.
func (f *Facts) copies() bool { return f.Notify && f.Fence != nil && f.Fence.GetFD }

// connects reports whether a supervisor can connect sockets for commands: those
// that it can copy, or makes. It makes unix sockets only, and online there are
// others.
func (f *Facts) connects(r *policy.Resolved) bool {
	return f.copies() || f.answers() && r.Network().Mode != policy.Online
}

// pairsOnly reports whether commands can make no unix sockets but pairs, which
// are connected from the beginning: online the kernel connects for them, where
// nobody can copy their sockets. A policy that gives the guarantee up has sockets,
// the host's too.
func (f *Facts) pairsOnly(r *policy.Resolved) bool {
	return !f.connects(r) && r.Network().Mode == policy.Online && !accepts(r, guarantee.UnixConfined)
}

// refuseFenced refuses what a policy may say and this backend does not offer.
func refuseFenced(f Facts, r *policy.Resolved) error {
	n := r.Network()
	if len(n.Unix) > 0 && !f.connects(r) && (n.Mode != policy.Online || f.pairsOnly(r)) {
		why, remedy := "no supervisor can answer calls of commands here (Linux 5.19), so nothing can connect sockets for them", "remove network.unix, or "
		if n.Mode == policy.Online {
			why, remedy = "online, sockets must be connected by a supervisor, which cannot copy descriptors of commands here", "use --net offline, or "
		}
		return diag.New(diag.ModeUnsupported, why+", and the policy grants "+diag.Quote(n.Unix[0]), remedy+f.elsewhere())
	}
	if ports := slices.Concat(n.Loopback, n.Publish); len(ports) > 0 && n.Mode != policy.Online {
		return diag.New(diag.ModeUnsupported, fmt.Sprintf("without namespaces there is no network at all offline, so port %d of it cannot be joined to the host's", ports[0]),
			"remove network.loopback and network.publish, or use --net online")
	}
	return refuseSystem(r)
}

// fenceWatch is what the supervisor looks at. Names that are held elsewhere
// cannot be held here; what appears there is reported.
func fenceWatch(r *policy.Resolved) plan.Watch {
	w := plan.Watch{Git: r.GitDirs()}
	for _, rule := range r.Rules() {
		switch rule.Hold {
		case policy.HoldQuarantine:
			w.Quarantine = append(w.Quarantine, rule.Path)
		case policy.HoldReport:
			w.Report = append(w.Report, rule.Path)
		}
	}
	return w
}

// protectedInside returns the protected paths inside what may be written.
func protectedInside(r *policy.Resolved) []string {
	var list []string
	for _, rule := range r.Rules() {
		if over, _ := r.AccessTo(path.Dir(rule.Path)); rule.Access == policy.Read && over == policy.Write {
			list = append(list, rule.Path)
		}
	}
	return list
}

// hiddenInside returns the hidden paths inside what may be written.
func hiddenInside(r *policy.Resolved) []string {
	var list []string
	for _, rule := range r.Rules() {
		if over, _ := r.AccessTo(path.Dir(rule.Path)); rule.Access == policy.Hidden && over == policy.Write {
			list = append(list, rule.Path)
		}
	}
	return list
}

// accepts reports whether the policy accepts the loss of a guarantee by name.
// Where one is lost for the sake of programs, this is what opens the way.
func accepts(r *policy.Resolved, id guarantee.ID) bool { return slices.Contains(r.AllowWeaker(), id) }

func fenceFilter(f Facts, r *policy.Resolved) plan.Seccomp {
	offline := r.Network().Mode != policy.Online
	connects := f.connects(r)
	o := filterOptions{Broker: connects, Fence: &fenceOptions{
		Offline: offline, Metadata: f.answers(), Truncate: f.Landlock < 3,
		Connect: !connects && offline, Makes: connects && !f.copies(), Pairs: f.pairsOnly(r), Watch: f.copies(),
	}}
	return filter(o)
}

// rights are names of access rights of landlock(7) on a kernel.
type rights struct{ read, readFile, change, changeFile, device []string }

func rightsOf(abi int) rights {
	r := rights{
		read: []string{"execute", "read_dir", "read_file"}, readFile: []string{"execute", "read_file"},
		change:     []string{"make_dir", "make_fifo", "make_reg", "make_sock", "make_sym", "remove_dir", "remove_file", "write_file"},
		changeFile: []string{"write_file"}, device: []string{"read_file", "write_file"},
	}
	if abi >= 2 {
		r.change = append(r.change, "refer")
	}
	if abi >= 3 {
		r.change = append(r.change, "truncate")
		r.changeFile = append(r.changeFile, "truncate")
	}
	if abi >= 5 {
		r.device = append(r.device, "ioctl_dev")
	}
	return r
}

// fenceLandlock are the rules: everything may be read but what is hidden, the
// devices, the host's directories for temporary files and /run; and then what
// of these is there all the same.
func fenceLandlock(f Facts, r *policy.Resolved, table *mounts) plan.Landlock {
	have := rightsOf(f.Landlock)
	l := plan.Landlock{Handled: slices.Concat(have.read, have.change, []string{"make_block", "make_char"})}
	if f.Landlock >= 5 {
		l.Handled = append(l.Handled, "ioctl_dev")
	}
	if f.signalScope() {
		l.Scoped = []string{"abstract_unix_socket", "signal"}
	}
	add := func(name string, access []string, except []string) {
		l.Rules = append(l.Rules, plan.LandlockRule{Path: name, Access: access, Except: except})
	}
	around := slices.Concat(aliases(r.Rules(), table, f.FileMounts), surroundings(table, r.Rules(), f.FileMounts))
	out := slices.Concat([]string{"/dev", f.Fence.parent()}, f.Temp)
	if len(f.Run) > 0 {
		out = append(out, "/run")
	}
	for _, rule := range slices.Concat(r.Rules(), around) {
		if rule.Access == policy.Hidden && !within("/proc", rule.Path) && !within("/dev", rule.Path) {
			out = append(out, rule.Path)
		}
	}
	beneath := func(dir string) []string { return topmost(out, dir) }
	add("/", have.read, beneath("/"))
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		add("/dev/"+name, have.device, nil)
	}
	for _, e := range f.Run {
		if e.Kind == "dir" && e.Path != "/run" {
			add(e.Path, have.read, beneath(e.Path))
		} else if e.Kind == "file" {
			add(e.Path, have.readFile, nil)
		}
	}
	for _, rule := range slices.Concat(r.Rules(), around) {
		l.Rules = append(l.Rules, ruleOf(rule, have, out, beneath)...)
	}
	if r.Tmp() == "" {
		add(plan.TmpSymbol, slices.Concat(have.read, have.change), nil)
	}
	if accepts(r, guarantee.TTYNoInject) {
		add("/dev/ptmx", have.device, nil)
		add("/dev/pts", append(slices.Clone(have.device), "read_dir"), nil)
	}
	return l
}

// ruleOf is the rule of Landlock for a rule that allows something, if it needs
// one: reading inside something that is left out, or writing.
func ruleOf(rule policy.Rule, have rights, out []string, beneath func(string) []string) []plan.LandlockRule {
	leftOut := slices.ContainsFunc(out, func(dir string) bool { return dir != rule.Path && within(dir, rule.Path) })
	read, write := rule.Access == policy.Read && leftOut && rule.Kind != policy.KindAbsent, rule.Access == policy.Write
	if within("/proc", rule.Path) || rule.Kind == policy.KindSymlink || !read && !write {
		return nil
	}
	isFile := rule.Kind == policy.KindFile || rule.Kind == policy.KindOther
	made := plan.LandlockRule{Path: rule.Path, Access: have.read, Dev: rule.Dev, Ino: rule.Ino}
	switch {
	case write && isFile:
		made.Access = slices.Concat(have.readFile, have.changeFile)
	case write:
		made.Access = slices.Concat(have.read, have.change)
	case isFile:
		made.Access = have.readFile
	default:
		made.Except = beneath(rule.Path)
	}
	return []plan.LandlockRule{made}
}

// topmost returns the paths beneath a directory that lie in no other one of
// them, sorted.
func topmost(paths []string, dir string) []string {
	list := slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p == dir || !within(dir, p) })
	slices.SortFunc(list, comparePaths)
	var top []string
	for _, p := range list {
		if len(top) == 0 || !within(top[len(top)-1], p) {
			top = append(top, p)
		}
	}
	return top
}
