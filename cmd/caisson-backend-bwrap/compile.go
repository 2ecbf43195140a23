// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/linux"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// compile makes the plan of a policy on a host of these facts. It is pure.
func compile(f facts, r *policy.Resolved) (*plan.Plan, error) {
	if r.OS() != "linux" {
		return nil, diag.New(diag.ModeUnsupported, Name+" cannot uphold a policy for "+r.OS(), "")
	}
	answered := f.Notify && r.Network().Mode != policy.Online // online the network is the host's, and does not tell whose a socket is
	if err := refuse(r, answered); err != nil {
		return nil, err
	}
	p := &plan.Plan{Format: plan.Format, Backend: Name, OS: "linux", Arch: f.Arch, Env: backend.Environment(r, cmp.Or(r.Tmp(), "/tmp"), backend.Proxy{})}
	p.Claims, p.Unmet = claims(f, r)
	if list := f.served(); len(list) > 0 {
		p.Notes = append(p.Notes, diag.Diagnostic{Code: diag.NetworkFS,
			Message: "readable file systems are served from elsewhere: " + strings.Join(list, ", ") + "; whoever serves one sees which names are looked up in it", Remedy: "--hide PATH shuts one"})
	}
	if r.Network().Mode == policy.Online {
		p.Notes = append(p.Notes, diag.Diagnostic{Code: diag.NetworkOpen, Message: "the network is the host's as it is"})
	}
	if !f.Works {
		return p, nil // to be looked at: it claims nothing
	}
	watch := plan.Watch{Git: r.GitDirs()}
	for _, rule := range r.Rules() {
		switch rule.Hold {
		case policy.HoldDir, policy.HoldLink: // bwrap mounts nothing over a link
			p.Steps = append(p.Steps, plan.Hold{Path: rule.Path, Kind: "dir"})
		case policy.HoldFile:
			p.Steps = append(p.Steps, plan.Hold{Path: rule.Path, Kind: "file", Content: rule.Content})
		case policy.HoldQuarantine:
			watch.Quarantine = append(watch.Quarantine, rule.Path)
		case policy.HoldReport:
			watch.Report = append(watch.Report, rule.Path)
		}
	}
	if len(watch.Quarantine)+len(watch.Report)+len(watch.Git) > 0 {
		p.Steps = append(p.Steps, watch)
	}
	args := slices.Concat(walls(r.Network().Mode != policy.Online), temporary(f, r), tree(r), proc(f), []string{"--"})
	if answered {
		p.Steps = append(p.Steps, plan.Broker{Allow: r.Network().Unix})
	}
	p.Steps = append(p.Steps, linux.Filter(answered), plan.Wrap{Programs: []plan.Program{{Path: f.Path, Args: args}}})
	return p, nil
}

// refuse refuses what a policy may say and bubblewrap cannot do.
func refuse(r *policy.Resolved, answered bool) error {
	n := r.Network()
	if len(n.Unix) > 0 && !answered {
		return diag.New(diag.ModeUnsupported, Name+" refuses all unix sockets here, and the policy grants "+diag.Quote(n.Unix[0]), "remove network.unix, use --net offline, or choose another backend")
	}
	if len(n.Loopback)+len(n.Publish) > 0 && n.Mode != policy.Online {
		return diag.New(diag.ModeUnsupported, "the sandbox has a network of its own, and "+Name+" cannot join ports of it to the host's", "remove network.loopback and network.publish, or use --net online")
	}
	return nil
}

// walls are the arguments that do not depend on paths: bwrap(1).
func walls(offline bool) []string {
	args := []string{"--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"}
	if offline {
		args = append(args, "--unshare-net")
	}
	return append(args, "--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
}

// temporary puts the sandbox's own directory, or that of --tmp, in the place of
// the temporary ones.
func temporary(f facts, r *policy.Resolved) []string {
	var args []string
	for _, dir := range f.Temp {
		source := plan.TmpSymbol
		if r.Tmp() != "" {
			source = r.Tmp()
		}
		args = append(args, "--bind", source, dir)
	}
	return args
}

// tree mounts what the policy says. bwrap takes what it binds from the host's
// tree, so what lies inside something must come after it, pins included: the
// mounts are sorted, a directory directly before all that it holds. Covers
// become read-only at the end, when what is shown in them is there.
func tree(r *policy.Resolved) []string {
	type entry struct {
		path string
		args []string
	}
	var entries []entry
	var late, pinned []string
	add := func(name string, args ...string) { entries = append(entries, entry{name, args}) }
	for i, rule := range r.Rules() {
		present := rule.Kind != policy.KindAbsent || rule.Hold == policy.HoldDir || rule.Hold == policy.HoldFile || rule.Hold == policy.HoldLink
		switch {
		case within("/proc", rule.Path), within("/dev", rule.Path), rule.Kind == policy.KindSymlink:
			continue // the sandbox's own; and nothing is mounted over a link
		case rule.Access == policy.Write && (present || rule.Path == r.CacheDir()):
			add(rule.Path, "--bind", rule.Path, rule.Path)
		case !present:
			continue
		case rule.Access == policy.Read:
			for _, dir := range ancestors(r, rule.Path) {
				if !slices.Contains(pinned, dir) {
					pinned = append(pinned, dir)
					add(dir, "--bind", dir, dir)
				}
			}
			add(rule.Path, "--ro-bind", rule.Path, rule.Path)
		case rule.Kind == policy.KindDir:
			perms := "0000"
			if shownBelow(r.Rules()[i+1:], rule.Path) {
				perms = "0555" // the way to it is to be seen
			}
			add(rule.Path, "--perms", perms, "--tmpfs", rule.Path)
			late = append(late, "--remount-ro", rule.Path)
		default:
			add(rule.Path, "--ro-bind", "/dev/null", rule.Path) // without devices: it cannot be opened
		}
	}
	key := func(e entry) string { return strings.ReplaceAll(e.path, "/", "\x00") }
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(key(a), key(b)) })
	var args []string
	for _, e := range entries {
		args = append(args, e.args...)
	}
	return append(args, late...)
}

// proc shuts the files of /proc that tell of the host, and makes the rest
// read-only: settings of the kernel are files there, which root may write.
func proc(f facts) []string {
	var args []string
	for _, name := range f.Proc {
		args = append(args, "--ro-bind", "/dev/null", "/proc/"+name)
	}
	return append(args, "--remount-ro", "/proc")
}

// ancestors are the directories between a writable root and something protected
// in it. Mounted on themselves they cannot be moved away.
func ancestors(r *policy.Resolved, name string) []string {
	var list []string
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		access, rule := r.AccessTo(dir)
		if access != policy.Write || rule.Path == dir {
			break
		}
		list = append(list, dir)
	}
	slices.Reverse(list)
	return list
}

// shownBelow reports whether something inside a hidden directory is not hidden.
func shownBelow(rules []policy.Rule, dir string) bool {
	return slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Access != policy.Hidden && within(dir, r.Path) })
}
