// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpleval"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The properties hold for every policy, so the fuzzer writes the policies. A
// source of bytes gives rules on paths of few names, so that they nest and
// meet, and paths to ask about.
type source struct {
	bytes []byte
	at    int
}

// below gives a number less than n; when the bytes are used up it is 0.
func (s *source) below(n int) int {
	if s.at >= len(s.bytes) {
		return 0
	}
	s.at++
	return int(s.bytes[s.at-1]) % n
}

// names are those that paths are made of. They differ by more than case.
func names() []string {
	return []string{"a", "b", "ab", "a.b", "Caf\u00e9", "conFig", "k (x)", "st*", "[x]", "q\"q", "\\"}
}

func (s *source) path(depth int) string {
	p := "/w"
	for range s.below(depth) {
		p += "/" + names()[s.below(len(names()))]
	}
	return p
}

// rules gives the rules of a policy, in their order and one for each path.
func (s *source) rules() []policy.Rule {
	var list []policy.Rule
	for range 1 + s.below(7) {
		r := policy.Rule{Path: s.path(5), Access: policy.Access(s.below(3)), Kind: policy.KindDir}
		if r.Access == policy.Read && s.below(3) == 0 {
			r.Kind, r.Hold = policy.KindAbsent, []policy.Hold{policy.HoldDir, policy.HoldFile, policy.HoldLink, policy.HoldQuarantine, policy.HoldReport}[s.below(5)]
		}
		if !slices.ContainsFunc(list, func(o policy.Rule) bool { return o.Path == r.Path }) {
			list = append(list, r)
		}
	}
	// Names are watched in writable regions only.
	return slices.DeleteFunc(list, func(r policy.Rule) bool {
		return r.Hold != "" && !slices.Contains([]policy.Hold{policy.HoldDir, policy.HoldFile, policy.HoldLink}, r.Hold) && nearest(list, path.Dir(r.Path)) != policy.Write
	})
}

// nearest is the access of the nearest rule around a path that is not watched.
func nearest(list []policy.Rule, name string) policy.Access {
	for ; ; name = path.Dir(name) {
		for _, r := range list {
			if r.Path == name && r.Hold != policy.HoldQuarantine && r.Hold != policy.HoldReport {
				return r.Access
			}
		}
		if name == "/" {
			return policy.Read
		}
	}
}

// denied reports the first operation and reading under which something is
// allowed, or "".
func denied(p *sbpleval.Profile, r sbpleval.Request, ops ...string) string {
	return find(p, r, true, ops)
}

func find(p *sbpleval.Profile, r sbpleval.Request, verdict bool, ops []string) string {
	for _, op := range ops {
		for _, m := range sbpleval.Models() {
			if m.Mapped && r.Remote == "" && r.Local == "" {
				continue // it is about addresses
			}
			if p.Decide(m, op, r) == verdict {
				return op
			}
		}
	}
	return ""
}

func allowed(p *sbpleval.Profile, r sbpleval.Request, ops ...string) string {
	return find(p, r, false, ops)
}

// changes are the operations that change a file or what it is called.
func changes() []string {
	return append(sbpleval.Operations("file-write*"), "file-link", "file-mknod", "file-mount", "file-unmount", "file-chroot",
		"file-revoke", "file-ioctl", "file-issue-extension")
}

func reads() []string {
	return []string{"file-read-data", "file-read-xattr", "file-map-executable", "file-clone", "process-exec*", "process-exec-interpreter"}
}

// FuzzOracle compares profiles with the oracle of the policy: what it says may
// not be read or written is so under every reading, and what it says may be is
// so too, so that a profile that denies everything does not pass.
func FuzzOracle(f *testing.F) {
	f.Add([]byte("\x03\x00\x02\x02\x00\x01\x01\x00\x03\x02\x00\x01\x00\x02\x02\x01\x00"))
	f.Add([]byte("workspace protect hide show"))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		s := &source{bytes: bytes}
		r := resolved(t, nil, s.rules()...)
		p := interpreted(t, profileOf(t, compiled(t, r)))
		pinned := pinnedPaths(r)
		for range 8 {
			name := s.path(7)
			access, _ := r.AccessTo(name)
			q := sbpleval.Request{Path: name, Type: "REGULAR-FILE"}
			if access != policy.Write {
				if op := denied(p, q, changes()...); op != "" {
					t.Errorf("%s is %s, and %s is allowed\n%v", name, access, op, r.Rules())
				}
			}
			switch access {
			case policy.Hidden:
				if op := denied(p, q, reads()...); op != "" {
					t.Errorf("%s is hidden, and %s is allowed\n%v", name, op, r.Rules())
				}
				if op := denied(p, q, "file-read-metadata"); op != "" && !onWay(r, name) {
					t.Errorf("%s is hidden, and %s is allowed\n%v", name, op, r.Rules())
				}
				long := q
				long.Path = dataVolume + name
				if op := denied(p, long, "file-read-data"); op != "" {
					t.Errorf("%s is hidden, and %s is allowed by the long name\n%v", name, op, r.Rules())
				}
			case policy.Read, policy.Write:
				if op := allowed(p, q, append(reads(), "file-read-metadata")...); op != "" {
					t.Errorf("%s is %s, and %s is denied\n%v", name, access, op, r.Rules())
				}
			}
			if access == policy.Write && !pinned[name] {
				ops := slices.DeleteFunc(sbpleval.Operations("file-write*"), func(op string) bool { return op == "file-write-setugid" })
				if op := allowed(p, q, append(ops, "file-link")...); op != "" {
					t.Errorf("%s may be written, and %s is denied\n%v", name, op, r.Rules())
				}
			}
		}
		for name := range pinned {
			if op := denied(p, sbpleval.Request{Path: name, Type: "DIRECTORY"}, "file-write-create", "file-write-unlink", "file-write-setugid"); op != "" {
				t.Errorf("%s must stay, and %s is allowed\n%v", name, op, r.Rules())
			}
		}
	})
}

// pinnedPaths are the writable roots and the directories between them and what
// is restricted inside, as the contract has it: they stay where they are.
func pinnedPaths(r *policy.Resolved) map[string]bool {
	list := map[string]bool{}
	writable := func(name string) bool { a, _ := r.AccessTo(name); return a == policy.Write }
	for _, rule := range r.Rules() {
		switch {
		case rule.Hold == policy.HoldQuarantine || rule.Hold == policy.HoldReport:
		case rule.Access == policy.Write && !writable(path.Dir(rule.Path)):
			list[rule.Path] = true
		case rule.Access != policy.Write:
			for dir := path.Dir(rule.Path); dir != "/" && writable(dir); dir = path.Dir(dir) {
				list[dir] = true
			}
		}
	}
	return list
}

// onWay reports whether something inside a hidden path is not hidden, so that
// its directories have metadata.
func onWay(r *policy.Resolved, name string) bool {
	return slices.ContainsFunc(r.Rules(), func(rule policy.Rule) bool {
		return rule.Access != policy.Hidden && rule.Hold != policy.HoldQuarantine && rule.Hold != policy.HoldReport &&
			within(name, rule.Path) && len(rule.Path) > len(name)
	})
}

// FuzzOutside wants no path outside the roots to be changed in any way,
// whatever it is called, under the policies of the golden files.
func FuzzOutside(f *testing.F) {
	for _, seed := range []string{"/Users/me/src/app2", "/Users/me/src", "/etc/hosts", "/Users/me/src/app/../x", "/", "/private/var/folders/zz/me/T/caisson/minex", "/private/var/folders/zz/me/T/Caisson"} {
		f.Add(seed)
	}
	all := readyProfiles(f)
	f.Fuzz(func(t *testing.T, name string) {
		if !path.IsAbs(name) || path.Clean(name) != name || strings.ContainsRune(name, 0) {
			t.Skip("no clean absolute path")
		}
		for _, one := range all {
			access, _ := one.resolved.AccessTo(name)
			// In another case it is another file where the system tells cases apart,
			// and where it does not, it asks by the name that the file has.
			temp := one.resolved.Tmp() == "" && strings.HasPrefix(name+"/", tmpDirs+"/")
			if access == policy.Write && !temp || within(ownTmp, name) || within("/dev", name) {
				continue
			}
			if op := denied(one.profile, sbpleval.Request{Path: name, Type: "REGULAR-FILE"}, changes()...); op != "" {
				t.Errorf("%s: %s of %q is allowed", one.name, op, name)
			}
		}
	})
}

type readyProfile struct {
	name     string
	resolved *policy.Resolved
	profile  *sbpleval.Profile
	proxy    bool
}

func readyProfiles(t testing.TB) []readyProfile {
	var list []readyProfile
	for _, s := range samples() {
		list = append(list, readyProfile{s.name, s.resolved(t), interpreted(t, profileOf(t, s.plan(t))), s.proxy})
	}
	return list
}

// FuzzTighten wants a policy with one more restriction to allow nothing that it
// did not allow without.
func FuzzTighten(f *testing.F) {
	f.Add([]byte("\x02\x00\x02\x00\x02\x02\x00\x01\x00\x03\x00\x01\x02"))
	f.Add([]byte("tighten a policy, ask again"))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		s := &source{bytes: bytes}
		rules := s.rules()
		more := policy.Rule{Path: s.path(5), Access: policy.Access(s.below(2)), Kind: policy.KindDir}
		if slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Path == more.Path }) {
			t.Skip("the path has a rule already")
		}
		before := resolved(t, nil, slices.Clone(rules)...)
		if was, _ := before.AccessTo(more.Path); was < more.Access {
			t.Skip("the rule loosens")
		}
		loose := interpreted(t, profileOf(t, compiled(t, before)))
		tight := interpreted(t, profileOf(t, compiled(t, resolved(t, nil, append(slices.Clone(rules), more)...))))
		for _, name := range append([]string{more.Path, path.Dir(more.Path), more.Path + "/x"}, s.path(7), s.path(7), s.path(7)) {
			q := sbpleval.Request{Path: name, Type: "REGULAR-FILE"}
			for _, op := range append(changes(), append(reads(), "file-read-metadata")...) {
				for _, m := range sbpleval.Models() {
					if tight.Decide(m, op, q) && !loose.Decide(m, op, q) {
						t.Errorf("with %v, %s of %s is allowed, and was not\n%v", more, op, name, rules)
					}
				}
			}
		}
	})
}
