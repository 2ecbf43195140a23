// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpleval"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// isName reports whether a volume of macOS has files of a name.
func isName(s string) bool {
	return s != "" && s != "." && s != ".." && utf8.ValidString(s) && !strings.ContainsAny(s, "/\x00") && len(s) <= 255
}

// respelled gives other ways to write a name of which a volume may take each
// for the same.
func respelled(name string) []string {
	var turned strings.Builder
	for _, r := range name {
		turned.WriteRune(unicode.SimpleFold(r))
	}
	list := []string{
		name, strings.ToUpper(name), strings.ToLower(name), turned.String(), norm.NFC.String(name), norm.NFD.String(name),
		norm.NFD.String(turned.String()), norm.NFC.String(strings.ToLower(name)),
		strings.NewReplacer("\u0300", "\u0340", "\u0301", "\u0341", "\u0313", "\u0343", ";", "\u037e").Replace(norm.NFD.String(name)),
	}
	same := func(s string) string { return norm.NFD.String(cases.Fold().String(norm.NFD.String(s))) }
	list = slices.DeleteFunc(list, func(other string) bool { return same(other) != same(name) })
	slices.Sort(list)
	return slices.Compact(list)
}

// FuzzSpelling wants an absent protected name to be made under no spelling,
// and a hidden one to be read under none, whether filters fold or not.
func FuzzSpelling(f *testing.F) {
	for _, seed := range []string{".mcp.json", "hooks", "config", "Stra\u00dfe", "caf\u00e9", "e\u0301", "\u1e9e", "\u2126", "k\u212a", "\u0130x", "\ua64b", "A\u0343", "a\u0300\u0323\u0327\u0328\u0334x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !isName(name) {
			t.Skip("no name of a file")
		}
		protected, secret := path.Join(ws, name), path.Join(home, name)
		rules := []policy.Rule{root(ws), held(policy.HoldDir, protected), rule(policy.Hidden, policy.KindDir, secret)}
		if within(secret, ws) || within(secret, tmpDirs) {
			t.Skip("the name leads to a place with rules of its own")
		}
		plan, err := compile(Typical(), resolved(t, nil, rules...), false)
		if err != nil {
			return // refused, with nothing run
		}
		p := interpreted(t, profileOf(t, plan))
		for _, other := range respelled(name) {
			if !isName(other) {
				continue
			}
			for _, below := range []string{"", "/x", "/x/y"} {
				if op := denied(p, sbpleval.Request{Path: path.Join(ws, other) + below}, changes()...); op != "" {
					t.Errorf("%q is protected, and %s of %q is allowed", name, op, other+below)
				}
				if op := denied(p, sbpleval.Request{Path: path.Join(home, other) + below, Type: "REGULAR-FILE"}, reads()...); op != "" {
					t.Errorf("%q is hidden, and %s of %q is allowed", name, op, other+below)
				}
			}
		}
		for _, sibling := range []string{"x" + name, name + "x", "unlike"} {
			if unlike(name, sibling) {
				if op := allowed(p, sbpleval.Request{Path: path.Join(ws, sibling)}, "file-write-create", "file-write-data", "file-write-unlink"); op != "" {
					t.Errorf("%q is protected, and %s of %q is denied", name, op, sibling)
				}
			}
		}
	})
}

// unlike reports whether two names differ by so much that a rule about one must
// not be about the other. A mark that joins the last letter changes that one.
func unlike(a, b string) bool {
	return isName(b) && norm.NFD.String(a+"x") == norm.NFD.String(a)+"x" && len(unfolded(a)) > 0 &&
		!strings.EqualFold(norm.NFD.String(unfolded(a)), norm.NFD.String(unfolded(b))) && norm.NFD.FirstBoundaryInString(a) == 0 &&
		!strings.Contains(a, `"`) && !strings.Contains(spellings(a), "[^/]*")
}

// FuzzHostile writes a text into every place of a policy that holds a path.
// The profile is refused, or it has the rules that a harmless text gives, and
// the text stands in it as one string.
func FuzzHostile(f *testing.F) {
	for _, seed := range []string{
		`a") (allow default) ("`, `a" (allow file-write*)`, "a)\n(allow default)", `#"`, `"#`, "a;b", "100%s%n", "*?[a-z]{1}",
		`\`, `\"`, "\\x41", "|#", "#|", "'()", "(param \"TMP\")", "\U0001f512", "\u202e", "\u2028", "a\x00b", "\x7f", "-D", "TMP=x", "\xff", "$HOME", "`id`",
	} {
		f.Add(seed)
	}
	shape := func(t *testing.T, name string) (string, bool) {
		p, err := compile(Typical(), resolved(t, func(p *policyText) { p.Network.Unix = []string{"/x/" + name + "/s"} },
			root("/x/"+name), rule(policy.Read, policy.KindDir, "/x/"+name+"/p1"), held(policy.HoldDir, "/x/"+name+"/d/absent1"),
			rule(policy.Hidden, policy.KindDir, "/y/"+name+"/h1"), rule(policy.Read, policy.KindDir, "/y/"+name+"/h1/s")), false)
		if err != nil {
			return "", false
		}
		return profileOf(t, p), true
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !isName(name) {
			t.Skip("no name of a file")
		}
		text, ok := shape(t, name)
		if !ok {
			return
		}
		plain, ok := shape(t, "plain")
		if !ok {
			t.Fatal("a plain name is refused")
		}
		got, want := interpreted(t, text).Rules(), interpreted(t, plain).Rules()
		if len(got) != len(want) {
			t.Fatalf("%q gives %d rules, and a plain name %d", name, len(got), len(want))
		}
		for i := range got {
			if got[i].Allow != want[i].Allow || !slices.Equal(got[i].Ops, want[i].Ops) || got[i].Filtered() != want[i].Filtered() {
				t.Errorf("%q: rule %d is another one", name, i)
			}
		}
		literal := `(subpath "/x/` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `")`
		if strings.Count(text, literal) != strings.Count(plain, `(subpath "/x/plain")`) {
			t.Errorf("%q does not stand in the profile as %s", name, literal)
		}
	})
}

// FuzzNetwork wants no address but those of the policy to be reached or
// listened on, and no socket but those of the temporary directory.
func FuzzNetwork(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "[::1]", "198.51.100.7", "[::ffff:127.0.0.1]", sbpleval.OwnAddress, "localhost", "0.0.0.0"} {
		f.Add(seed, uint16(5432), "/private/var/run/docker.sock")
		f.Add(seed, uint16(proxyPort), "/private/var/run/mDNSResponder")
	}
	all := readyProfiles(f)
	f.Fuzz(func(t *testing.T, host string, port uint16, socket string) {
		if strings.ContainsAny(host, " \n") || host == "" || !path.IsAbs(socket) || path.Clean(socket) != socket {
			t.Skip("no host, or no clean absolute path")
		}
		loopback := slices.Contains([]string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", sbpleval.OwnAddress}, host)
		for _, one := range all {
			n := one.resolved.Network()
			if n.Mode == policy.Online {
				continue
			}
			for _, kind := range []string{"tcp", "udp"} {
				end := fmt.Sprintf("%s %s:%d", kind, host, port)
				proxied := n.Mode == policy.Allowlist && int(port) == proxyPort && one.proxy
				if !loopback || !slices.Contains(n.Loopback, int(port)) && !proxied {
					if op := denied(one.profile, sbpleval.Request{Remote: end}, "network-outbound"); op != "" {
						t.Errorf("%s: %s to %s is allowed", one.name, op, end)
					}
				}
				if !loopback || !slices.Contains(n.Publish, int(port)) {
					if op := denied(one.profile, sbpleval.Request{Local: end}, "network-bind", "network-inbound"); op != "" {
						t.Errorf("%s: %s at %s is allowed", one.name, op, end)
					}
				}
				if op := denied(one.profile, sbpleval.Request{Local: end}, "network-outbound"); op != "" {
					t.Errorf("%s: %s from %s is allowed", one.name, op, end)
				}
			}
			dir := ownTmp
			if tmp := one.resolved.Tmp(); tmp != "" {
				dir = tmp
			}
			end := "unix " + socket
			if !within(dir, socket) && !slices.Contains(n.Unix, socket) {
				if op := denied(one.profile, sbpleval.Request{Remote: end}, "network-outbound"); op != "" {
					t.Errorf("%s: %s to %s is allowed", one.name, op, end)
				}
			}
			if !within(dir, socket) {
				if op := denied(one.profile, sbpleval.Request{Local: end}, "network-bind", "network-inbound"); op != "" {
					t.Errorf("%s: %s at %s is allowed", one.name, op, end)
				}
			}
		}
	})
}

// FuzzServices wants no name of a service, a setting of the kernel, or shared
// memory to be reached but those of the list in docs/macos.md, which is
// written out here once more.
func FuzzServices(f *testing.F) {
	for _, seed := range []string{"com.apple.SecurityServer", "com.apple.logd", "com.apple.logdx", "kern.procargs2", "kern.proc.pid.1", "apple.shm.notification_center2", "/__KMP_REGISTERED_LIB_"} {
		f.Add(seed)
	}
	mach := []string{
		"com.apple.bsd.dirhelper", "com.apple.logd", "com.apple.system.logger", "com.apple.system.notification_center",
		"com.apple.system.opendirectoryd.libinfo", "com.apple.system.opendirectoryd.membership",
	}
	online := []string{
		"com.apple.SystemConfiguration.DNSConfiguration", "com.apple.SystemConfiguration.configd", "com.apple.ocspd", "com.apple.trustd", "com.apple.trustd.agent",
	}
	all := readyProfiles(f)
	f.Fuzz(func(t *testing.T, name string) {
		for _, one := range all {
			known := slices.Contains(mach, name) || one.resolved.Network().Mode == policy.Online && slices.Contains(online, name)
			q := sbpleval.Request{Name: name}
			if op := denied(one.profile, q, "mach-lookup"); op != "" && !known {
				t.Errorf("%s: %s of %q is allowed", one.name, op, name)
			}
			if op := denied(one.profile, q, "mach-register", "mach-cross-domain-lookup", "iokit-open", "lsopen", "appleevent-send", "job-creation",
				"user-preference-read", "user-preference-write", "ipc-sysv-shm", "system-mac-syscall"); op != "" {
				t.Errorf("%s: %s of %q is allowed", one.name, op, name)
			}
			if strings.HasPrefix(name, "kern.procargs") || name == "kern.proc.all" {
				if op := denied(one.profile, q, "sysctl-read"); op != "" {
					t.Errorf("%s: %s of %q is allowed", one.name, op, name)
				}
			}
			if !strings.HasPrefix(name, "/__KMP_REGISTERED_LIB_") {
				if op := denied(one.profile, q, "ipc-posix-shm-write-create", "ipc-posix-shm-write-data", "ipc-posix-shm-write-unlink"); op != "" {
					t.Errorf("%s: %s of %q is allowed", one.name, op, name)
				}
			}
		}
	})
}
