// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGoldenPlans(t *testing.T) {
	t.Parallel()
	secrets := []policy.Rule{
		rule(policy.Hidden, policy.KindDir, "/home/u/.ssh"),
		rule(policy.Read, policy.KindFile, "/home/u/.ssh/known_hosts"),
		rule(policy.Hidden, policy.KindFile, "/home/u/.netrc"),
		{Path: "/home/u/.local/state/caisson", Access: policy.Hidden, Kind: policy.KindAbsent, Origin: policy.Origin{Set: "@caisson"}},
		{Path: "/home/u/.local/state/caisson/caches/1", Access: policy.Write, Kind: policy.KindAbsent, Origin: policy.Origin{Set: "@caisson"}},
	}
	cached := func(p *policyText) {
		p.CacheDir = "/home/u/.local/state/caisson/caches/1"
		p.GitDirs = []string{"/home/u/ws/.git"}
	}
	autofs := userFacts()
	autofs.Mounts = append(autofs.Mounts,
		"30 20 0:40 / /home rw - autofs /etc/auto.home",
		"31 30 0:41 / /home/u rw - nfs4 server:/home/u",
		"32 20 0:42 / /net rw - autofs -hosts")
	aliased := userFacts()
	aliased.Mounts = append(aliased.Mounts,
		"30 20 8:1 /home /mnt/homes rw - ext4 /dev/sda1",
		"31 20 8:1 /home/u/ws /home/u/mirror rw - ext4 /dev/sda1",
		"32 20 8:1 /home/u/.ssh/id /srv/key rw - ext4 /dev/sda1")
	aliased.FileMounts = []string{"/srv/key"}
	old := userFacts()
	old.Landlock, old.Notify = 1, false
	delegated := rootFacts()
	delegated.Cgroup = &Cgroup{Dir: "/sys/fs/cgroup/user.slice/user-0.slice", Memory: true, Pids: true}
	bare := userFacts()
	bare.Landlock = 0

	for _, c := range []struct {
		name  string
		facts Facts
		rules []policy.Rule
		edit  func(*policyText)
	}{
		{"checkout", userFacts(), append(checkout("/home/u/ws"), secrets...), cached},
		{"checkout-root", rootFacts(), append(checkout("/home/u/ws"), secrets...), cached},
		{"online", userFacts(), checkout("/home/u/ws"), func(p *policyText) {
			p.Network = policy.Network{Mode: policy.Online, Unix: []string{"/run/postgresql/.s.PGSQL.5432"}}
		}},
		{"allowlist", userFacts(), checkout("/home/u/ws"), func(p *policyText) {
			p.Network = policy.Network{Mode: policy.Allowlist, Allow: []string{"example.org"}}
			p.Require = append(p.Require, guarantee.NetAllowlist)
		}},
		{"in-tmp", userFacts(), checkout("/tmp/x/ws"), nil},
		{"tmp-dir", userFacts(), append(checkout("/home/u/ws"), root("/home/u/scratch")), func(p *policyText) { p.Tmp = "/home/u/scratch" }},
		{"tmp-dir-with-rules", userFacts(), append(checkout("/home/u/ws"), root("/home/u/scratch"), rule(policy.Read, policy.KindDir, "/home/u/scratch/.vscode")),
			func(p *policyText) { p.Tmp = "/home/u/scratch" }},
		{"tmp-dir-in-tmp", userFacts(), append(checkout("/home/u/ws"), root("/tmp/scratch")), func(p *policyText) { p.Tmp = "/tmp/scratch" }},
		{"write-var", userFacts(), []policy.Rule{root("/home/u/ws"), root("/var")}, nil},
		{"write-tmp", userFacts(), []policy.Rule{root("/tmp")}, nil},
		{"nesting", userFacts(), []policy.Rule{
			root("/home/u/ws"), rule(policy.Read, policy.KindDir, "/home/u/ws/a/vendor"),
			root("/home/u/ws/a/vendor/x/gen"), rule(policy.Hidden, policy.KindDir, "/home/u/ws/a/vendor/x/gen/k/secret"),
			rule(policy.Read, policy.KindSymlink, "/home/u/ws/a/link"),
		}, nil},
		{"autofs", autofs, append(checkout("/home/u/ws"), secrets...), nil},
		{"aliases", aliased, append(checkout("/home/u/ws"), append(secrets[:3:3], root("/home/u/mirror"))...), nil},
		{"limits", userFacts(), checkout("/home/u/ws"), func(p *policyText) {
			p.Limits = map[string]any{"time": "10m", "memory": 1 << 30, "processes": 64}
			p.Require = append(p.Require, guarantee.LimitMemory, guarantee.LimitProcesses, guarantee.LimitTime)
		}},
		{"limits-root", rootFacts(), checkout("/home/u/ws"), func(p *policyText) {
			p.Limits = map[string]any{"processes": 64}
			p.Require = append(p.Require, guarantee.LimitProcesses)
		}},
		{"limits-cgroup", delegated, checkout("/home/u/ws"), func(p *policyText) {
			p.Limits = map[string]any{"memory": 1 << 30, "processes": 64}
			p.Require = append(p.Require, guarantee.LimitMemory, guarantee.LimitProcesses)
		}},
		{"old-kernel", old, checkout("/home/u/ws"), nil},
		{"no-landlock", bare, checkout("/home/u/ws"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := resolved(t, c.edit, c.rules...)
			p := compiled(t, c.facts, r)
			checkTree(t, p.Steps)
			got := render(p)
			if again := render(compiled(t, c.facts, r)); again != got {
				t.Error("the same request gives another plan")
			}
			golden := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		code  diag.Code
		facts func(*Facts)
		edit  func(*policyText)
		rules []policy.Rule
	}{
		{"another system", diag.ModeUnsupported, nil, func(p *policyText) { p.OS = "darwin" }, nil},
		{"a port in and out", diag.PolicyInvalid, nil, func(p *policyText) { p.Network.Loopback, p.Network.Publish = []int{80, 81}, []int{81} }, nil},
		{"the proxy's port of the host", diag.PolicyInvalid, nil, func(p *policyText) { p.Network.Mode, p.Network.Loopback = policy.Allowlist, []int{61080} }, nil},
		{"the proxy's port published", diag.PolicyInvalid, nil, func(p *policyText) { p.Network.Mode, p.Network.Publish = policy.Allowlist, []int{61080} }, nil},
		{"a device", diag.RootUnwritable, nil, nil, []policy.Rule{rule(policy.Write, policy.KindOther, "/dev/kvm")}},
		{"/dev/shm", diag.RootUnwritable, nil, nil, []policy.Rule{root("/dev/shm")}},
		{"/proc", diag.RootUnwritable, nil, nil, []policy.Rule{root("/proc/sys")}},
		{"a broken mount table", diag.PlanInvalid, func(f *Facts) { f.Mounts = []string{"1 2 3"} }, nil, nil},
	} {
		f := userFacts()
		if c.facts != nil {
			c.facts(&f)
		}
		_, err := compile(f, resolved(t, c.edit, c.rules...))
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != c.code {
			t.Errorf("%s: got %v, want code %s", c.name, err, c.code)
		}
	}
}

// TestABIs goes through the versions of Landlock: what a version does not know
// must not be asked for, and what it lacks must be made up for.
func TestABIs(t *testing.T) {
	t.Parallel()
	r := resolved(t, nil, checkout("/home/u/ws")...)
	for abi := range 10 {
		f := userFacts()
		f.Landlock = abi
		p := compiled(t, f, r)
		l := landlock(f, p.Steps)
		if refer := contains(l.Handled, "refer"); refer != (abi >= 2) {
			t.Errorf("ABI %d: refer handled: %v", abi, refer)
		}
		if scoped := len(l.Scoped) == 2; scoped != (abi >= 6) {
			t.Errorf("ABI %d: scopes %v", abi, l.Scoped)
		}
		if own := groupOf(t, p); own != (abi < 6) {
			t.Errorf("ABI %d: own process group: %v", abi, own)
		}
		if refused := len(p.Claims) == 0 && len(p.Unmet) == len(r.Require()); refused != (abi == 0) {
			t.Errorf("ABI %d: claims %v, unmet %v", abi, p.Claims, p.Unmet)
		}
	}
}
