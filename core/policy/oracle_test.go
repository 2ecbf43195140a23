// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// enforce answers as a backend does that applies the rules one after the other,
// each over the ones before it.
func enforce(r *Resolved, path string) Access {
	os := pathspec.OS(r.OS())
	access := Read
	for _, rule := range r.Rules() {
		switch {
		case !os.Within(rule.Path, os.Clean(path)):
		case rule.Hold == HoldQuarantine || rule.Hold == HoldReport:
			access = Write
		default:
			access = rule.Access
		}
	}
	return access
}

func TestOracleAgreesWithEnforcement(t *testing.T) {
	t.Parallel()
	h := unixHost(with(gitFiles("/home/me/ws/.git", ""), gitFiles("/home/me/ws/.git/modules/m", ""),
		map[string]string{"/home/me/ws/a/b/c/": "", "/home/me/ws/d/": "", "/home/me/ws/a-b": "", "/home/me/.ssh/k": ""}))
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		r := mustResolve(t, randomPolicy(random), h)
		paths := samples()
		for _, rule := range r.Rules() {
			paths = append(paths, rule.Path, rule.Path+"/x", rule.Path+"-x", rule.Path+"x")
		}
		for _, path := range paths {
			if got, rule := r.AccessTo(path); got != enforce(r, path) {
				t.Fatalf("%s: the oracle says %s by %+v, a backend does %s", path, got, rule, enforce(r, path))
			}
		}
	}
}

// TestRulesAreMinimal wants no rule that changes nothing, but for the roots,
// which the backends need by name.
func TestRulesAreMinimal(t *testing.T) {
	t.Parallel()
	h := unixHost(with(gitFiles("/home/me/ws/.git", ""), map[string]string{"/home/me/ws/a/b/c/": "", "/home/me/ws/d/": "", "/home/me/.ssh/k": ""}))
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		r := mustResolve(t, randomPolicy(random), h)
		for _, rule := range r.Rules() {
			above, _ := r.AccessTo(pathspec.Linux.Dir(rule.Path))
			if rule.Access == above && !rule.Root && rule.Origin.File == originStandard {
				t.Fatalf("%+v changes nothing", rule)
			}
		}
	}
}

func FuzzAccessTo(f *testing.F) {
	f.Add("a", ".git", "/home/me/ws/a/../.git/config")
	f.Add("/etc", "a/b", "/home/me/ws//a/b/")
	f.Add("~", "", "/home/me/ws/a\x00")
	h := unixHost(with(gitFiles("/home/me/ws/.git", ""), map[string]string{"/home/me/ws/a/b/c/": "", "/home/me/.ssh/k": ""}))
	f.Fuzz(func(t *testing.T, hide, protect, path string) {
		p := Standard(".")
		p.Files.Hide, p.Files.Protect = []string{hide}, []string{protect}
		r, _, err := p.Resolve(h)
		if err != nil {
			return
		}
		access, rule := r.AccessTo(path)
		if pathspec.Linux.Check(path) != nil || !strings.HasPrefix(path, "/") {
			if access != Hidden {
				t.Fatalf("%q: %s", path, access)
			}
			return
		}
		if want := enforce(r, path); access != want {
			t.Fatalf("%q: %s by %+v, a backend does %s", path, access, rule, want)
		}
		if access == Write && !pathspec.Linux.Within("/home/me/ws", pathspec.Linux.Clean(path)) && !pathspec.Linux.Within(r.CacheDir(), pathspec.Linux.Clean(path)) {
			t.Fatalf("%q is writable outside the roots by %+v", path, rule)
		}
	})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	h := unixHost(with(gitFiles("/home/me/ws/.git", ""), map[string]string{"/home/me/.ssh/k": "", "/data/x/": ""}))
	r := mustResolve(t, Standard("."), h)
	p := Standard(".")
	p.Final = []string{"files.show", "files.unprotect", "files.write"}
	final := mustResolve(t, p, h)
	for _, c := range []struct {
		path        string
		read, write bool
		kind        diag.GrantKind
		value       string
		text        string
	}{
		{"/home/me/ws/x", true, true, "", "", ""},
		{"/home/me/ws/.git/config", true, false, diag.GrantUnprotect, "/home/me/ws/.git/config", "--unprotect"},
		{"/home/me/ws/.git/hooks/pre-commit", true, false, diag.GrantUnprotect, "/home/me/ws/.git/hooks", "--unprotect"},
		{"/home/me/ws/.claude/x", true, false, diag.GrantUnprotect, "/home/me/ws/.claude", "--unprotect"},
		{"/home/me/ws/.envrc", true, true, diag.GrantUnprotect, "/home/me/ws/.envrc", "moved away"},
		{"/home/me/.ssh/k", false, false, diag.GrantShow, "/home/me/.ssh/k", "--show"},
		{"/data/x/y", true, false, diag.GrantWrite, "/data/x", "--write /data/x"},
		{"/data/x", true, false, diag.GrantWrite, "/data", "--write"},
		{"/home/me/y", true, false, "", "", "home directory"},
		{"/home/me", true, false, "", "", "home directory"},
		{"/vmlinuz", true, false, "", "", "root of the file system"},
		{"/proc/sys/kernel/core_pattern", true, false, "", "", "kernel"},
		{"/home/me/.config/caisson/policy.toml", true, false, "", "", "caisson itself"},
		{"/home/me/.config/x", true, false, "", "", "caisson itself"},
		{"/home/me/.local/state/caisson/trust.json", false, false, "", "", "nothing shows it"},
		{"rel", false, false, "", "", "no file"},
	} {
		e := r.Explain(c.path, h)
		if e.Read != c.read || e.Write != c.write || !strings.Contains(e.Remedy, c.text) {
			t.Errorf("%s: %+v", c.path, e)
		}
		switch {
		case c.kind == "" && e.Grant != nil:
			t.Errorf("%s: grant %+v", c.path, e.Grant)
		case c.kind != "" && (e.Grant == nil || e.Grant.Kind != c.kind || e.Grant.Value != c.value):
			t.Errorf("%s: grant %+v, want %s %s", c.path, e.Grant, c.kind, c.value)
		}
		if e := final.Explain(c.path, h); e.Grant != nil && c.path != "/home/me/ws/.envrc" {
			t.Errorf("%s: a grant against a final setting: %+v", c.path, e.Grant)
		}
	}
	// What an explanation offers must work.
	for _, path := range []string{"/data/x/y", "/home/me/ws/.git/config", "/home/me/ws/.claude"} {
		g := r.Explain(path, h).Grant
		p := Standard(".")
		switch g.Kind {
		case diag.GrantWrite:
			p.Files.Write = []string{g.Value}
		case diag.GrantUnprotect:
			p.Files.Unprotect = []string{g.Value}
		}
		if access, rule := mustResolve(t, p, h).AccessTo(path); access != Write {
			t.Errorf("%s: %s by %+v after %s", path, access, rule, g.Flags())
		}
	}
}

// TestExplainWhatIsThere wants the permissions of the file system considered,
// and no grant that a run would refuse.
func TestExplainWhatIsThere(t *testing.T) {
	t.Parallel()
	h := unixHost(map[string]string{
		"/etc/shadow": "", "/etc/caisson/policy.toml": "", "/home/me/.bashrc": "", "/home/me/.ssh/k": "", "/data/file": "", "/data/mine": "", "/data/tool/": "",
		"/home/me/ws/theirs": "", "/home/me/ws/shut/x": "", "/home/me/ws/vendor/x": "", "/srv/x": "", "/home/me/ws/root/": "",
	})
	h.shut = []string{"/etc/shadow", "/home/me/.ssh/k", "/home/me/ws/shut"}
	h.locked = []string{"/etc", "/data/file", "/srv", "/home/me/ws/theirs", "/home/me/ws/vendor/x", "/home/me/ws/root"}
	p := Standard(".")
	p.Files.Protect = []string{"vendor"}
	p.Files.Hide = []string{"~/.ssh"}
	r := mustResolve(t, p, h)
	for _, c := range []struct {
		path        string
		read, write bool
		grant       string
		text        string
	}{
		{"/etc/shadow", false, false, "", "its own permissions do not let the user that commands run as read it"},
		{"/etc/passwd", true, false, "", "its own permissions do not let the user that commands run as write it"},
		{"/etc/none", true, false, "", "files of caisson itself"},
		{"/home/me/.bashrc", true, false, "--write /home/me/.bashrc", "--write"},
		{"/home/me/ws2", true, false, "", "make /home/me/ws2 first, then name it with --write"},
		{"/home/me/new/deep/x", true, false, "", "its directory does not exist: make /home/me/new/deep first"},
		{"/nonexistent", true, false, "", "make /nonexistent first"},
		{"/nonexistent/x", true, false, "", "make /nonexistent first"},
		{"/data/new", true, false, "--write /data", "--write"},
		{"/data/mine", true, false, "--write /data", "--write"},
		{"/srv/x", true, false, "", "its own permissions"},
		{"/srv/new", true, false, "", "the permissions of its directory"},
		{"/home/me/.ssh/k", false, false, "", "it is hidden, and its own permissions"},
		{"/home/me/ws/theirs", true, false, "", "its own permissions"},
		{"/home/me/ws/shut/x", false, false, "", "reach it"},
		{"/home/me/ws/shut", false, true, "", "read it"},
		{"/home/me/ws/vendor/x", true, false, "", "its own permissions"},
		{"/home/me/ws/vendor/y", true, false, "--unprotect /home/me/ws/vendor", "--unprotect"},
		{"/home/me/ws/root/new", true, false, "", "the permissions of its directory"},
		{"/home/me/ws/new/new", true, true, "", ""},
	} {
		e := r.Explain(c.path, h)
		grant := ""
		if e.Grant != nil {
			grant = e.Grant.Flags()
			wanted := p.With(*e.Grant)
			if _, _, err := wanted.Resolve(h); err != nil {
				t.Errorf("%s: a run refuses %s: %v", c.path, grant, err)
			}
		}
		if e.Read != c.read || e.Write != c.write || grant != c.grant || !strings.Contains(e.Remedy, c.text) {
			t.Errorf("%s: %+v, grant %q", c.path, e, grant)
		}
	}
}

// TestExplainRemove: a removal needs its directory, which a grant of the name
// alone does not give.
func TestExplainRemove(t *testing.T) {
	t.Parallel()
	h := unixHost(map[string]string{"/home/me/.bashrc": "", "/home/me/own": "", "/data/file": "", "/data/own": "", "/home/me/ws/x": "", "/home/me/ws/.git/config": ""})
	p := Standard(".")
	p.Files.Write = []string{"/home/me/own", "/data/own"}
	r := mustResolve(t, p, h)
	p.Final = []string{"files.write"}
	final := mustResolve(t, p, h)
	for _, c := range []struct {
		path, grant, text string
		write             bool
	}{
		{"/home/me/ws/x", "", "", true},
		{"/home/me/ws", "", "not removed or renamed", false},
		{"/home/me/.bashrc", "", "not removed or renamed, and its directory is a home directory", false},
		{"/home/me/own", "", "not removed or renamed, and its directory is a home directory", false},
		{"/data/file", "--write /data", "--write", false},
		{"/data/own", "--write /data", "--write", false},
		{"/home/me/ws/.git/config", "--unprotect /home/me/ws/.git/config", "--unprotect", false},
	} {
		e := r.ExplainRemove(c.path, h)
		grant := ""
		if e.Grant != nil {
			grant = e.Grant.Flags()
		}
		if e.Write != c.write || grant != c.grant || !strings.Contains(e.Remedy, c.text) {
			t.Errorf("%s: %+v, grant %q", c.path, e, grant)
		}
		if e := final.ExplainRemove(c.path, h); e.Grant != nil && e.Grant.Kind == diag.GrantWrite {
			t.Errorf("%s: a grant against a final setting: %+v", c.path, e.Grant)
		}
	}
}

// BenchmarkResolve is what a launch pays on this machine, in a fresh checkout.
func BenchmarkResolve(b *testing.B) {
	dir := b.TempDir()
	for path, text := range gitFiles(dir+"/.git", "[core]\n\tbare = false\n") {
		if err := os.MkdirAll(filepath.Dir(path+"x"), 0o700); err != nil {
			b.Fatal(err)
		}
		if !strings.HasSuffix(path, "/") {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	p := Standard(dir)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Resolve(OSHost()); err != nil {
			b.Fatal(err)
		}
	}
}
