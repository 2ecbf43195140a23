// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpleval"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// probes are paths around everything that a policy and the world speak of:
// each with what is below it, its neighbour of a longer name, its last name in
// other case, and its name on the data volume.
func probes(t testing.TB, r *policy.Resolved) []string {
	t.Helper()
	list := slices.Collect(maps.Keys(pinnedPaths(r)))
	rules := slices.Clone(r.Rules())
	for _, dir := range tempDirs() {
		rules = append(rules, policy.Rule{Path: dir})
	}
	for _, rule := range rules {
		dir, base := path.Split(rule.Path)
		list = append(list, rule.Path, rule.Path+"/x", rule.Path+"x", dir+strings.ToUpper(base), dir+strings.ToUpper(base)+"/x", dir+strings.ToUpper(base)+"/y", dir+strings.ToLower(base)+"/x", dir+strings.ToLower(base)+"x", dir+"x",
			dataVolume+rule.Path, dataVolume+rule.Path+"/x", dataVolume+dir+"x", "/x"+rule.Path, path.Dir(path.Dir(rule.Path))+"/x", dir+strings.ToUpper(base)+"x")
	}
	for _, rule := range rules {
		for _, in := range append(slices.Clone(r.Rules()), policy.Rule{Path: "/x", Root: true}) {
			if !in.Root {
				continue
			}
			list = append(list, path.Clean(in.Path+rule.Path)) // what a pattern without its start would match
		}
	}
	for _, dir := range []string{ownTmp, tmpDirs, tmpDirs + "/other", "/dev", "/dev/disk0", "/dev/null", "/usr", "/etc"} {
		list = append(list, dir, dir+"/x", dir+"x")
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// tempDirs are the host's directories for temporary files.
func tempDirs() []string {
	return []string{"/private/tmp", "/private/var/tmp", "/private/var/folders/zz/me/T"}
}

// breach says how a profile differs from the oracle at one path, or "". It is
// the check of FuzzOracle with the places that the sandbox adds. A path on the
// data volume is one that the kernel should not use: it may be read where
// nothing is hidden, and never written. Nothing has to be allowed under a
// spelling that no rule has.
func breach(p *sbpleval.Profile, r *policy.Resolved, pinned map[string]bool, name string) string {
	q := sbpleval.Request{Path: name, Type: "REGULAR-FILE"}
	short, isLong := strings.CutPrefix(name, dataVolume)
	access, rule := r.AccessTo(short)
	hides := slices.ContainsFunc(r.Rules(), func(rule policy.Rule) bool { return rule.Access == policy.Hidden && within(rule.Path, short) })
	places := slices.Clone(r.Rules())
	for _, dir := range tempDirs() {
		places = append(places, policy.Rule{Path: dir})
	}
	if isLong { // what is left out of a rule has its short name there
		hides = hides || slices.ContainsFunc(tempDirs(), func(dir string) bool { return within(dir, short) })
	}
	exact := !(isLong && hides) && !slices.ContainsFunc(places, func(rule policy.Rule) bool {
		return within(rule.Path, short) && short != rule.Path && !strings.HasPrefix(short, strings.TrimSuffix(rule.Path, "/")+"/")
	})
	temp, way := r.Tmp() == "" && within(tmpDirs, short), onWay(r, short)
	shared := access == policy.Write && temp // the policy makes the directory writable
	switch {
	case within("/dev", name):
		return "" // the table of decisions has them
	case temp && within(ownTmp, name) && !isLong:
		access = policy.Write
	case shared && short == tmpDirs:
		access = policy.Read
	case temp && shared:
		access = policy.Hidden
	case access == policy.Read && slices.ContainsFunc(tempDirs(), func(dir string) bool { return within(dir, short) && !within(dir, rule.Path) }):
		access = policy.Hidden
		way = way || r.Tmp() == "" && within(short, tmpDirs) || slices.ContainsFunc(tempDirs(), func(dir string) bool { return within(short, dir) })
		exact = exact && !isLong
	}
	var no, yes []string
	if access != policy.Write || isLong {
		no = append(no, changes()...)
	}
	switch access {
	case policy.Hidden:
		no = append(no, reads()...)
		if way {
			yes = append(yes, "file-read-metadata")
		} else {
			no = append(no, "file-read-metadata")
		}
	case policy.Write:
		no = append(no, "file-write-setugid")
		if pinned[name] || temp && name == ownTmp {
			no = append(no, "file-write-create", "file-write-unlink")
		}
		yes = append(sbpleval.Operations("file-write*"), "file-link")
		fallthrough
	default:
		yes = append(append(yes, reads()...), "file-read-metadata")
	}
	if op := denied(p, q, no...); op != "" {
		return op + " of " + name + " is allowed"
	}
	for _, op := range no {
		if exact && p.Decide(sbpleval.Model{NoPatterns: true}, op, q) {
			return op + " of " + name + " is denied by a pattern alone"
		}
	}
	yes = slices.DeleteFunc(yes, func(op string) bool { return !exact || slices.Contains(no, op) })
	if op := allowed(p, q, yes...); op != "" {
		return op + " of " + name + " is denied"
	}
	return ""
}

// names of the allow-list, written out once more: what is removed from the list
// of the generator is missed here, and what is added is found by FuzzServices.
func documented() map[string][]string {
	return map[string][]string{
		"sysctl-read": strings.Fields(`hw.activecpu hw.busfrequency_compat hw.byteorder hw.cacheconfig hw.cachelinesize_compat
			hw.cpufamily hw.cpufrequency hw.cpufrequency_compat hw.cputype hw.l1dcachesize_compat hw.l1icachesize_compat
			hw.l2cachesize_compat hw.l3cachesize_compat hw.logicalcpu hw.logicalcpu_max hw.machine hw.memsize hw.model hw.ncpu
			hw.nperflevels hw.packages hw.pagesize hw.pagesize_compat hw.physicalcpu hw.physicalcpu_max hw.tbfrequency_compat
			hw.vectorunit kern.argmax kern.hostname kern.maxfilesperproc kern.maxproc kern.osproductversion kern.osrelease
			kern.ostype kern.osvariant_status kern.osversion kern.secure_kernel kern.usrstack64 kern.version
			machdep.cpu.brand_string sysctl.proc_cputype sysctl.proc_translated vm.loadavg
			hw.optional.arm.x hw.optional.armv8_x hw.perflevel0.x kern.proc.pgrp.1 kern.proc.pid.1 net.routetable.0`),
		"sysctl-write": {"kern.grade_cputype"},
		"mach-lookup": {"com.apple.bsd.dirhelper", "com.apple.logd", "com.apple.system.logger", "com.apple.system.notification_center",
			"com.apple.system.opendirectoryd.libinfo", "com.apple.system.opendirectoryd.membership"},
		"ipc-posix-shm-read-data":    {"apple.shm.notification_center", "/__KMP_REGISTERED_LIB_1"},
		"ipc-posix-shm-write-create": {"/__KMP_REGISTERED_LIB_1"},
		"ipc-posix-shm-write-unlink": {"/__KMP_REGISTERED_LIB_1"},
	}
}

func undocumented() map[string][]string {
	list := map[string][]string{
		"sysctl-read":                {"hw.optional.armx", "hw.optional.armv8x", "hw.perfleve1", "kern.proc.pgrpx", "kern.proc.pidx", "net.routetablex"},
		"mach-lookup":                {"com.apple.SystemConfiguration.DNSConfigurationx", "com.apple.SystemConfiguration.configdx", "com.apple.ocspdx", "com.apple.trustdx", "com.apple.trustd.agentx"},
		"ipc-posix-shm-write-create": {"x/__KMP_REGISTERED_LIB_1"},
	}
	for op, names := range documented() {
		for _, n := range names {
			if !slices.ContainsFunc([]string{".x", "_x", "0.x", ".1", ".0"}, func(end string) bool { return strings.HasSuffix(n, end) }) {
				list[op] = append(list[op], n+"x")
			}
		}
	}
	return list
}

// objects are requests that no file of the world gives: below what has nothing
// below it, and terminals that are not where terminals are.
func objects() map[string][]sbpleval.Request {
	list := map[string][]sbpleval.Request{}
	for _, name := range []string{"null", "zero", "random", "urandom", "tty", "ptmx", "ttys007", "ttys1x"} {
		q := sbpleval.Request{Path: "/dev/" + name + "/x"}
		for _, op := range []string{"file-read-data", "file-write-data", "file-ioctl"} {
			list[op] = append(list[op], q)
		}
	}
	for _, name := range []string{"/dev/disk0", "/Volumes/dev/ttys1", "/dev/ttys1x", "/dev/x/dev/ttys1"} {
		q := sbpleval.Request{Path: name, Extensions: []string{"com.apple.sandbox.pty"}}
		for _, op := range []string{"file-write-data", "file-ioctl"} {
			list[op] = append(list[op], q)
		}
		if within("/dev", name) {
			list["file-read-data"] = append(list["file-read-data"], q)
		}
	}
	for _, name := range []string{"/private/tmp/.s.PGSQL.5432/x", "/private/var/run/mDNSResponder/x"} {
		list["network-outbound"] = append(list["network-outbound"], sbpleval.Request{Remote: "unix " + name})
	}
	return list
}

// judge returns what is wrong with a profile for a policy, or "".
func (s ready) judge(p *sbpleval.Profile) string {
	for op, names := range documented() {
		for _, n := range names {
			if allowed(p, sbpleval.Request{Name: n}, op) != "" {
				return op + " of " + n + " is denied"
			}
		}
	}
	for op, names := range undocumented() {
		for _, n := range names {
			if denied(p, sbpleval.Request{Name: n}, op) != "" {
				return op + " of " + n + " is allowed"
			}
		}
	}
	for op, requests := range objects() {
		for _, q := range requests {
			everywhere := slices.ContainsFunc(s.resolved.Rules(), func(r policy.Rule) bool { return r.Path == "/" && r.Access == policy.Write })
			if !(everywhere && !within("/dev", q.Path)) && denied(p, q, op) != "" {
				return op + " of " + q.Path + q.Remote + " is allowed"
			}
		}
	}
	for i, r := range s.rows {
		if why := r.wrong(p, s.lowered[i]); why != "" {
			return r.String()
		}
	}
	for _, name := range s.probes {
		if why := breach(p, s.resolved, s.pinned, name); why != "" {
			return why
		}
	}
	return ""
}

// ready is a policy with everything that its profile is judged by.
type ready struct {
	name     string
	resolved *policy.Resolved
	text     string
	rows     []row
	probes   []string
	pinned   map[string]bool
	lowered  [][][]sbpleval.Access // of each row
}

// TestMutation makes one fault after another in each profile and wants every
// one to be noticed. Rules that several profiles share are mutated in one.
func TestMutation(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	files, rows := worlds(t), decisions(t)
	seen := map[string]bool{}
	total, missed := 0, 0
	for _, s := range samples() {
		r := s.resolved(t)
		pinned := pinnedPaths(r)
		if a, _ := r.AccessTo(tmpDirs); a == policy.Write && r.Tmp() == "" {
			for dir := path.Dir(tmpDirs); dir != "/" && nearest(r.Rules(), dir) == policy.Write; dir = path.Dir(dir) {
				pinned[dir] = true
			}
		}
		one := ready{name: s.name, resolved: r, text: profileOf(t, s.plan(t)), probes: probes(t, r), pinned: pinned}
		for _, row := range rows {
			if row.policy == s.name {
				one.rows, one.lowered = append(one.rows, row), append(one.lowered, row.lowered(t, files))
			}
		}
		if why := one.judge(interpreted(t, one.text)); why != "" {
			t.Errorf("%s without a fault: %s", s.name, why)
			continue
		}
		list := mutants(one.text, func(rule string) bool { return seen[rule] })
		for _, f := range forms(one.text) {
			seen[f.String()] = true
		}
		for _, m := range list {
			total++
			p, err := sbpleval.Interpret(m.text, params())
			if err == nil && one.judge(p) == "" {
				missed++
				t.Errorf("%s: not noticed: %s", s.name, m.what)
			}
		}
	}
	t.Logf("%d of %d faults were noticed", total-missed, total)
	if total < 500 {
		t.Errorf("only %d faults", total)
	}
}
