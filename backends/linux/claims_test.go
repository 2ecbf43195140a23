// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// TestObstacles injects the facts of hosts that cannot make a sandbox.
func TestObstacles(t *testing.T) {
	t.Parallel()
	failed := func(step, errno string, h Hints) func(*Facts) {
		return func(f *Facts) {
			f.Trial = Trial{Step: step, Errno: errno, Message: "step " + step + ": " + errno}
			f.Hints = &h
		}
	}
	entry := func(change func(*Facts), name string) func(*Facts) {
		return func(f *Facts) { change(f); f.Trial.Entry = name }
	}
	for _, c := range []struct {
		name           string
		change         func(*Facts)
		reason, remedy string // parts of them
	}{
		{"inside caisson", func(f *Facts) { f.Nested = true }, "inside a sandbox of caisson already", "run the command directly"},
		{"no Landlock", func(f *Facts) { f.Landlock = 0 }, "no Landlock", "Linux 5.13"},
		{"nothing executes plans", func(f *Facts) { f.Trial = Trial{Message: "nothing can execute plans here"} }, "nothing can execute", ""},
		{"memfds", failed("", "EACCES", Hints{MemfdOff: true, MaxUserNamespaces: -1}), "vm.memfd_noexec", "vm.memfd_noexec=1"},
		{"no namespaces at all", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 0}), "user.max_user_namespaces", "user.max_user_namespaces=15000"},
		{"too many", failed("namespaces", "ENOSPC", Hints{MaxUserNamespaces: 10}), "it is 10", "user.max_user_namespaces"},
		{"not built in", failed("namespaces", "EINVAL", Hints{MaxUserNamespaces: -1}), "built without", "CONFIG_USER_NS"},
		{"Debian's switch", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, CloneOff: true}), "off for ordinary users", "unprivileged_userns_clone=1"},
		{"namespaces without capabilities", failed("read-only-root", "EPERM", Hints{MaxUserNamespaces: 9, AppArmor: true}), "AppArmor", `"userns,"`},
		{"masked /proc in Docker", failed("proc", "EPERM", Hints{MaxUserNamespaces: 9, Container: "docker"}), "masked (this is a container of docker)", "systempaths=unconfined"},
		{"masked /proc in a pod", failed("proc", "EPERM", Hints{MaxUserNamespaces: 9, Container: "kubernetes"}), "masked", "procMount: Unmasked"},
		{"masked /proc", func(f *Facts) {
			failed("proc", "EPERM", Hints{MaxUserNamespaces: 9})(f)
			f.Mounts = append(f.Mounts, "27 21 0:50 / /proc/kcore ro - tmpfs tmpfs", "28 21 0:50 / /proc/keys ro - tmpfs tmpfs", "29 21 0:50 / /proc/scsi ro - tmpfs tmpfs")
		}, "masked, as /proc/kcore, /proc/keys, 1 more", "mounted in full"},
		{"a /proc that hides processes", failed("proc", "EPERM", Hints{MaxUserNamespaces: 9, ProcOptions: "hidepid=2"}), "hides processes (hidepid=2)", "without hidepid=2"},
		{"in bubblewrap", failed("namespaces", "ENOSPC", Hints{MaxUserNamespaces: 2147483647}), "--disable-userns", "allow user namespaces"},
		{"in caisson without namespaces", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, Confined: true, Container: "docker"}), "confined by a sandbox of caisson", "run the command directly"},
		{"no new terminals", entry(failed("devices", "EPERM", Hints{MaxUserNamespaces: 9}), "mount new terminals"), "devpts", "CONFIG_UNIX98_PTYS"},
		{"no devices", entry(failed("devices", "ENOENT", Hints{MaxUserNamespaces: 9}), "clone /dev/full"), "clone /dev/full", "in /dev"},
		{"Ubuntu in a container", entry(failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, AppArmor: true, Container: "docker"}), "make the namespaces user, mount"), "something refuses it", "seccomp=caisson.json"},
		{"Ubuntu, at the first namespace", entry(failed("namespaces", "EACCES", Hints{MaxUserNamespaces: 9, AppArmor: true}), "make the namespaces user, mount"), "AppArmor", "caisson setup install"},
		{"Docker's profile", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, Container: "docker"}), "namespaces cannot be made", "seccomp=caisson.json --security-opt systempaths=unconfined, where"},
		{"a pod", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, Container: "kubernetes"}), "namespaces cannot be made", "hostUsers: false"},
		{"a pod's lines", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, Container: "kubernetes"}), "a pod of Kubernetes",
			`"securityContext: {procMount: Unmasked, seccompProfile: {type: Localhost, localhostProfile: caisson.json}}"`},
		{"a pod under AppArmor", failed("scratch", "EACCES", Hints{MaxUserNamespaces: 9, Container: "kubernetes", Profile: "cri-containerd.apparmor.d"}), "profile cri-containerd.apparmor.d", "appArmorProfile: {type: Unconfined}}"},
		{"Docker under AppArmor", failed("scratch", "EACCES", Hints{MaxUserNamespaces: 9, Container: "docker", Profile: "docker-default"}), "profile docker-default", "--security-opt apparmor=unconfined"},
		{"AppArmor outside of containers", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, Profile: "mine"}), "something refuses it", "AppArmor's profile mine"},
		{"Podman", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, Container: "podman"}), "namespaces cannot be made", "--security-opt unmask=ALL"},
		{"gVisor", func(f *Facts) { f.Landlock, f.Hints = 0, &Hints{MaxUserNamespaces: -1, GVisor: true} }, "gVisor, whose kernel has no Landlock", "runsc"},
		{"a job", failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, Slurm: true}), "this is a job of Slurm", "slurmd"},
		{"a job on nodes without user namespaces", failed("namespaces", "ENOSPC", Hints{MaxUserNamespaces: 0, Slurm: true}), "it is 0", "max_user_namespaces=15000, on each node"},
		{"something else", failed("scratch", "ENOMEM", Hints{MaxUserNamespaces: 9}), "step scratch: ENOMEM", ""},
		{"no hints", func(f *Facts) { f.Trial = Trial{Step: "namespaces", Errno: "EPERM"} }, "namespaces cannot be made", "seccomp filter"},
	} {
		f := userFacts()
		c.change(&f)
		o := f.obstacle()
		if o == nil || !strings.Contains(o.reason, c.reason) || !strings.Contains(o.remedy, c.remedy) {
			t.Errorf("%s: %+v", c.name, o)
			continue
		}
		if offers(f) != nil {
			t.Errorf("%s: something is offered", c.name)
		}
		r := resolved(t, nil, checkout("/home/u/ws")...)
		p := compiled(t, f, r)
		if len(p.Claims) != 0 || len(p.Unmet) != len(r.Require()) {
			t.Errorf("%s: claims %v, unmet %v", c.name, p.Claims, p.Unmet)
		}
		for _, u := range p.Unmet {
			if u.Grant != nil || u.Reason != o.reason {
				t.Errorf("%s: unmet %+v", c.name, u)
			}
		}
	}
	// What is said of ordinary users is not said to root.
	f := rootFacts()
	failed("namespaces", "EPERM", Hints{MaxUserNamespaces: 9, CloneOff: true, AppArmor: true})(&f)
	if o := f.obstacle(); strings.Contains(o.reason, "ordinary") || strings.Contains(o.reason, "AppArmor") {
		t.Errorf("root: %+v", o)
	}
}

// TestClaims looks at single guarantees under facts and policies that take
// them away.
func TestClaims(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		id      guarantee.ID
		facts   func(*Facts)
		edit    func(*policyText)
		rules   []policy.Rule
		claimed bool
		reason  string
		weaker  bool // accepting the loss helps
	}{
		{name: "everything is there", id: guarantee.UnixConfined, claimed: true},
		{name: "no notification", id: guarantee.UnixConfined, facts: func(f *Facts) { f.Notify = false }, reason: "answer connect(2)", weaker: true},
		{name: "no temporary directory", id: guarantee.TmpPrivate, facts: func(f *Facts) { f.Temp = nil }, reason: "neither /tmp", weaker: true},
		{name: "/tmp as workspace", id: guarantee.TmpPrivate, rules: []policy.Rule{root("/tmp")}, reason: "/tmp is a writable root", weaker: true},
		{name: "/tmp named by --tmp", id: guarantee.TmpPrivate, rules: []policy.Rule{root("/tmp")}, edit: func(p *policyText) { p.Tmp = "/tmp" }, claimed: true},
		{name: "a workspace below /tmp", id: guarantee.TmpPrivate, rules: []policy.Rule{root("/tmp/ws")}, claimed: true},
		{name: "online", id: guarantee.NetOffline, edit: func(p *policyText) { p.Network.Mode = policy.Online }, reason: "asks for the host's network", weaker: true},
		{name: "a user's processes", id: guarantee.LimitProcesses, claimed: true},
		{name: "root's processes", id: guarantee.LimitProcesses, facts: func(f *Facts) { f.UID = 0 }, reason: "root caller", weaker: true},
		{name: "memory", id: guarantee.LimitMemory, reason: "control group", weaker: true},
		{name: "denials", id: guarantee.DenialsReported, claimed: true},
		{name: "denials without notification", id: guarantee.DenialsReported, facts: func(f *Facts) { f.Notify = false }, reason: "show calls to a supervisor", weaker: true},
		{name: "a list", id: guarantee.NetAllowlist, edit: func(p *policyText) { p.Network.Mode = policy.Allowlist }, claimed: true},
		{name: "a list is not offline", id: guarantee.NetOffline, edit: func(p *policyText) { p.Network.Mode = policy.Allowlist }, reason: "hosts of a list", weaker: true},
		{name: "offline is no list", id: guarantee.NetAllowlist, reason: "no network", weaker: true},
		{name: "online is no list", id: guarantee.NetAllowlist, edit: func(p *policyText) { p.Network.Mode = policy.Online }, reason: "the host's network", weaker: true},
		{name: "a port of the host's", id: guarantee.NetOffline, edit: func(p *policyText) { p.Network.Loopback = []int{5432} }, claimed: true},
		{name: "a published port", id: guarantee.NetOffline, edit: func(p *policyText) { p.Network.Publish = []int{3000} }, claimed: true},
	} {
		f := userFacts()
		if c.facts != nil {
			c.facts(&f)
		}
		r := resolved(t, func(p *policyText) {
			p.Require = []guarantee.ID{c.id}
			if c.edit != nil {
				c.edit(p)
			}
		}, c.rules...)
		p := compiled(t, f, r)
		if _, ok := p.Claims[c.id]; ok != c.claimed {
			t.Errorf("%s: claimed: %v", c.name, ok)
		}
		if beyond := p.Claims.Within(offers(f)); len(beyond) > 0 {
			t.Errorf("%s: claims %v beyond its offers", c.name, beyond)
		}
		i := slices.IndexFunc(p.Unmet, func(u plan.Unmet) bool { return u.ID == c.id })
		if (i < 0) != c.claimed {
			t.Errorf("%s: unmet %v", c.name, p.Unmet)
		}
		if i < 0 {
			continue
		}
		u := p.Unmet[i]
		if !strings.Contains(u.Reason, c.reason) || (u.Grant != nil) != c.weaker {
			t.Errorf("%s: %+v", c.name, u)
		}
	}
}

// TestServedFileSystems names what is readable and comes from a server, and
// nothing that cannot be seen.
func TestServedFileSystems(t *testing.T) {
	t.Parallel()
	f := userFacts()
	f.Mounts = append(f.Mounts,
		"40 20 0:50 / /srv/nfs rw - nfs4 host:/x",
		"41 20 0:51 / /home/u/remote rw - fuse.sshfs x",
		"42 26 0:52 / /run/user/1000/doc rw - fuse.portal portal",
		"43 20 0:53 / /home/u/.secret rw - fuse.gocryptfs x",
		"44 21 0:54 / /proc/cpuinfo rw - fuse.lxcfs lxcfs",
		"45 20 0:55 / /srv/local rw - ext4 x")
	p := compiled(t, f, resolved(t, nil, rule(policy.Hidden, policy.KindDir, "/home/u/.secret")))
	want := "but for lookups in /srv/nfs (nfs4), /home/u/remote (fuse.sshfs)"
	if got := p.Claims[guarantee.NetOffline].Note; got != want {
		t.Errorf("net.offline: %q, want %q", got, want)
	}
	if len(p.Notes) != 1 || p.Notes[0].Code != diag.NetworkFS {
		t.Errorf("notes: %v", p.Notes)
	}
}

func TestFactsRoundTrip(t *testing.T) {
	t.Parallel()
	odd := userFacts()
	odd.Temp = []string{"/t\"\\\x01é<>&\u2028"}
	odd.Trial = Trial{Step: "proc", Entry: "mount", Errno: "EPERM", Message: "a\nb"}
	odd.Hints = &Hints{MaxUserNamespaces: -1, AppArmor: true, Container: "docker"}
	odd.Nested = true
	var full Facts // with something in each field, so that none is forgotten
	fill(reflect.ValueOf(&full).Elem())
	full.Format, full.Arch, full.Trial.OK = factsFormat, "arm64", false
	full.Fence.Trial.OK = false
	for _, f := range []Facts{userFacts(), rootFacts(), odd, full} {
		raw, err := f.MarshalJSON()
		if err != nil || !json.Valid(raw) {
			t.Fatalf("%v: %s", err, raw)
		}
		got, err := DecodeFacts(raw)
		if d := cmp.Diff(f, got); err != nil || d != "" {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
	}
}

// fill puts something into each field.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(7)
	}
}

func TestDecodeFactsRefuses(t *testing.T) {
	t.Parallel()
	good, err := userFacts().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "null", "[]", "{}", string(good) + "{}", string(good) + "x",
		strings.Replace(string(good), `"uid"`, `"uuid"`, 1),
		strings.Replace(string(good), `"format":1`, `"format":2`, 1),
		strings.Replace(string(good), `"amd64"`, `"mips"`, 1),
		strings.Replace(string(good), `"uid":1000`, `"uid":"1000"`, 1),
	} {
		_, err := DecodeFacts([]byte(text))
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != diag.PlanInvalid {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// FuzzPrepare gives any facts to the backend: it makes a plan or refuses.
func FuzzPrepare(f *testing.F) {
	good, err := userFacts().MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1,"arch":"arm64","mounts":["1 1 0:0 / / rw - autofs x"]}`))
	r := resolved(f, nil, checkout("/home/u/ws")...)
	b := New(Options{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := b.Prepare(context.Background(), backend.Request{Policy: r, Facts: raw})
		if (p == nil) == (err == nil) {
			t.Errorf("plan %v, error %v", p, err)
		}
	})
}
