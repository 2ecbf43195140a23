// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/backends/windows"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
	"github.com/caisson-sandbox/caisson/plugins/host"
	"github.com/caisson-sandbox/caisson/plugins/registry"
	"github.com/caisson-sandbox/caisson/plugins/sdk"
)

// TestMain makes this binary the plugin, where it has the plugin's name.
func TestMain(m *testing.M) {
	if !strings.HasPrefix(filepath.Base(os.Args[0]), "caisson-backend-windows") || strings.HasSuffix(os.Args[0], ".test") {
		os.Exit(m.Run())
	}
	b, err := served(os.Args[0], "")
	if err != nil {
		os.Exit(2)
	}
	sdk.Serve(usual{b})
}

// usual is a backend that finds itself on a usual machine. What the variable
// LIE of a policy says is a lie that it tells in its plan.
type usual struct{ backend.Backend }

func (u usual) Probe(context.Context) (backend.Report, error) {
	raw, err := facts(nil)
	if err != nil {
		return backend.Report{}, err
	}
	return u.Backend.(plugged).Backend.(interface {
		ReportOf(json.RawMessage) (backend.Report, error)
	}).ReportOf(raw)
}

func (u usual) Prepare(ctx context.Context, r backend.Request) (*plan.Plan, error) {
	made, err := u.Backend.Prepare(ctx, r)
	if lie, ok := lies()[r.Policy.Env().Set["LIE"]]; ok && err == nil {
		lie(made)
	}
	return made, err
}

func facts(change func(*windows.Facts)) (json.RawMessage, error) {
	f := windows.TypicalFacts(runtime.GOARCH)
	if change != nil {
		change(&f)
	}
	return json.Marshal(f)
}

// directory is a directory for one test. Wine cannot remove directories by the
// calls of os.RemoveAll.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "caisson-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil && runtime.GOOS != "windows" {
			t.Error(err)
		}
	})
	return dir
}

// start starts the backend that a program of the name is, as a plugin.
func start(t *testing.T, name string) *host.Plugin {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(directory(t), name)
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if err := os.WriteFile(file, text, 0o755); err != nil {
		t.Fatal(err)
	}
	r := registry.Registry{StateDir: directory(t)}
	found, err := r.At(file)
	if err == nil {
		found, err = r.Trust(found, nil, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := host.Start(t.Context(), found, host.Options{System: "windows", Reserved: builtIn()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// builtIn are the names that a caisson for Windows reserves.
func builtIn() (names []string) {
	for _, b := range windows.New(windows.Options{}) {
		names = append(names, b.Info().Name)
	}
	return names
}

const (
	workspace = `C:\Users\me\src\app`
	keys      = workspace + `\keys`
)

// machine is the recorded host of the facts with more to protect, hide and use.
func machine() *recorded.Host {
	h := recorded.Windows()
	h.Files[keys+`\a.pem`] = ""
	h.AddDir(`D:\out`)
	h.AddDir(workspace + `\vendor`)
	return h
}

func policies() map[string]func(*policy.Policy) {
	return map[string]func(*policy.Policy){
		"standard":  func(*policy.Policy) {},
		"read-only": func(p *policy.Policy) { p.Extends = "read-only" },
		"online":    func(p *policy.Policy) { p.Network.Mode = policy.Online },
		"allowlist": func(p *policy.Policy) {
			p.Network.Mode, p.Network.Allow = policy.Allowlist, []string{"example.org:443"}
		},
		"write":     func(p *policy.Policy) { p.Files.Write = []string{`D:\out`} },
		"hide":      func(p *policy.Policy) { p.Files.Hide, p.Files.Show = []string{keys}, []string{keys + `\a.pem`} },
		"protect":   func(p *policy.Policy) { p.Files.Protect = []string{workspace + `\vendor`} },
		"unprotect": func(p *policy.Policy) { p.Files.Unprotect = []string{workspace + `\.git\config`} },
		"tmp":       func(p *policy.Policy) { p.Tmp = `D:\out` },
		"env":       func(p *policy.Policy) { p.Env.Set = map[string]string{"TEMP": `D:\x`, "A": "b"} },
		"no caches": func(p *policy.Policy) { p.Caches.Mode = "off" },
		"limits":    func(p *policy.Policy) { p.Limits.Time, p.Limits.Processes = time.Minute, 64 },
	}
}

func resolve(t *testing.T, change func(*policy.Policy)) *policy.Resolved {
	t.Helper()
	p := policy.Standard(workspace)
	change(&p)
	r, _, err := p.Resolve(machine())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestParity: every backend of Windows says the same in this process and as a
// plugin over gRPC, but for its name, on several machines and for several
// policies; and what it says passes the judgement of the host.
func TestParity(t *testing.T) {
	t.Parallel()
	machines := map[string]func(*windows.Facts){
		"usual":       nil,
		"older setup": func(f *windows.Facts) { f.Setup.Proxy = 0 },
		"no setup":    func(f *windows.Facts) { f.Setup = windows.Setup{State: "none"} },
		"loose": func(f *windows.Facts) {
			f.Places = append(f.Places, windows.Place{Path: `C:\x`, SDDL: "O:BAG:SYD:(A;OICI;FA;;;WD)"})
		},
	}
	for _, name := range []string{"caisson-backend-windows", "caisson-backend-windows-lean", "caisson-backend-windows-token", "caisson-backend-windows-container"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine, err := served(name, "")
			if err != nil {
				t.Fatal(err)
			}
			local, remote := mine.(plugged).Backend, start(t, name)
			here, there := local.Info(), remote.Info()
			here.Name, here.Rank = pluggedName(here.Name), there.Rank // bounded by the host
			if !cmp.Equal(here, there) || there.Rank > host.MaxRank {
				t.Error(cmp.Diff(here, there))
			}
			want, err := usual{mine}.Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := remote.Probe(t.Context())
			if err != nil || !bytes.Equal(want.Facts, got.Facts) || !cmp.Equal(want, got) {
				t.Errorf("reports differ: %v, %s", err, cmp.Diff(want, got))
			}
			claims := 0
			for on, change := range machines {
				raw, err := facts(change)
				if err != nil {
					t.Fatal(err)
				}
				for what, change := range policies() {
					r := resolve(t, change)
					one, err := local.Prepare(t.Context(), backend.Request{Policy: r, Facts: raw})
					if err != nil {
						t.Fatalf("%s, %s: %v", on, what, err)
					}
					two, err := remote.Prepare(t.Context(), backend.Request{Policy: r, Facts: raw})
					if err != nil {
						t.Fatalf("%s, %s: %v", on, what, err)
					}
					claims += len(two.Claims)
					one.Backend = pluggedName(one.Backend)
					a, err := plan.Encode(one)
					if err != nil {
						t.Fatal(err)
					}
					if b, err := plan.Encode(two); err != nil || !bytes.Equal(a, b) {
						t.Errorf("%s, %s: plans differ (%v):\n%s", on, what, err, cmp.Diff(one, two))
					}
				}
			}
			if (claims == 0) != (name == "caisson-backend-windows-container") {
				t.Errorf("%d claims were compared", claims)
			}
			// A policy that it refuses, it refuses in the same words.
			for _, change := range []func(*policy.Policy){
				func(p *policy.Policy) { p.Network.Publish = []int{3000} },
				func(p *policy.Policy) {
					p.Network.Mode, p.Network.Allow = policy.Allowlist, []string{"example.org:443"}
					p.AllowWeaker = []guarantee.ID{guarantee.NetAllowlist}
				},
			} {
				r := resolve(t, change)
				_, one := local.Prepare(t.Context(), backend.Request{Policy: r, Facts: want.Facts})
				_, two := remote.Prepare(t.Context(), backend.Request{Policy: r, Facts: want.Facts})
				if one == nil || two == nil || one.Error() != two.Error() {
					t.Errorf("refusals %q and %q", one, two)
				}
			}
		})
	}
}

// lies are changes of a plan that the host must not take from a plugin.
func lies() map[string]func(*plan.Plan) {
	add := func(p *plan.Plan, a plan.WindowsACE) {
		p.Windows.ACL = append(p.Windows.ACL, a)
		p.Windows.Undo = append(p.Windows.Undo, plan.WindowsUndo{Path: a.Path, ACE: a.ACE})
	}
	without := func(p *plan.Plan, why string) {
		for i, a := range p.Windows.ACL {
			if a.Why == why && a.Exists {
				p.Windows.ACL = append(p.Windows.ACL[:i:i], p.Windows.ACL[i+1:]...)
				for j, u := range p.Windows.Undo {
					if u.Path == a.Path && u.ACE == a.ACE {
						p.Windows.Undo = append(p.Windows.Undo[:j:j], p.Windows.Undo[j+1:]...)
						return
					}
				}
			}
		}
	}
	const elsewhere = `C:\Users\me\Documents`
	return map[string]func(*plan.Plan){
		"more is writable": func(p *plan.Plan) {
			add(p, plan.WindowsACE{Path: elsewhere, ACE: "(A;OICI;0x1301bf;;;{account})", Why: plan.WhyRoot, Exists: true})
		},
		"one right more": func(p *plan.Plan) {
			add(p, plan.WindowsACE{Path: elsewhere, ACE: "(A;OICI;0x1200ab;;;{account})", Why: plan.WhyShown, Exists: true})
		},
		"every account": func(p *plan.Plan) {
			add(p, plan.WindowsACE{Path: workspace, ACE: "(A;OICI;0x1301bf;;;{group})", Why: plan.WhyRoot, Exists: true})
		},
		"the user is locked out": func(p *plan.Plan) {
			add(p, plan.WindowsACE{Path: elsewhere, ACE: "(D;OICI;0x1f01ff;;;{user})", Why: plan.WhyHidden, Exists: true})
		},
		"a secret is shown": func(p *plan.Plan) {
			add(p, plan.WindowsACE{Path: `C:\Users\me\.ssh`, ACE: "(A;OICI;0x1200a9;;;{account})", Why: plan.WhyShown, Exists: true})
		},
		"nothing is protected": func(p *plan.Plan) { without(p, plan.WhyProtected) },
		"the home as a temporary directory": func(p *plan.Plan) {
			p.Windows.Temp = elsewhere
			add(p, plan.WindowsACE{Path: elsewhere, ACE: "(A;OICI;0x1301bf;;;{account})", Why: plan.WhyTemp, Exists: true})
		},
		"a file of the user is moved away": func(p *plan.Plan) {
			p.Windows.Quarantine = append(p.Windows.Quarantine, elsewhere+`\letter.txt`)
		},
		"a file is reported": func(p *plan.Plan) { p.Windows.Report = append(p.Windows.Report, elsewhere) },
		"a file is made": func(p *plan.Plan) {
			const startup = `C:\Users\me\run.cmd`
			p.Windows.Placeholders = append(p.Windows.Placeholders, plan.WindowsHold{Path: startup, Kind: "file", Content: "calc", ACE: "(D;;0xd0156;;;{account})"})
			p.Windows.Undo = append(p.Windows.Undo, plan.WindowsUndo{Path: startup, Remove: "file"})
		},
		"offline without filters": func(p *plan.Plan) { p.Windows.Account.Pool, p.Windows.WFP = "online", []plan.WindowsFilter{} },
		"confined by the lean token": func(p *plan.Plan) {
			w := p.Windows
			w.Profile, w.Token.Flags, w.Token.Restricting = "lean", w.Token.Flags[:2], []string{}
			w.Token.DenyOnly = append(w.Token.DenyOnly, "S-1-5-11", "S-1-2-0")
		},
		"processes outside are hidden": func(p *plan.Plan) { p.Claims[guarantee.OutsideHidden] = p.Claims[guarantee.ReadHidden] },
		"another search path":          func(p *plan.Plan) { p.Env = append(p.Env, plan.EnvEdit{Name: "Path", Value: elsewhere}) },
	}
}

// TestLies: a plan that does more than its policy says is refused, whatever the
// plugin says that it is.
func TestLies(t *testing.T) {
	t.Parallel()
	raw, err := facts(nil)
	if err != nil {
		t.Fatal(err)
	}
	for lie := range lies() {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			p := start(t, "caisson-backend-windows")
			if _, err := p.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, told := range []string{"the truth", lie} {
				r := resolve(t, func(p *policy.Policy) { p.Env.Set = map[string]string{"LIE": told} })
				_, err := p.Prepare(t.Context(), backend.Request{Policy: r, Facts: raw})
				d, refused := errors.AsType[*diag.Diagnostic](err)
				if (err != nil) != (told == lie) || refused && d.Code != diag.PlanInvalid {
					t.Errorf("%s: %v", told, err)
				} else if err != nil {
					t.Log(err)
				}
			}
		})
	}
}

// TestNames: a program serves the backend of its name, and none where it has
// another.
func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"/usr/bin/caisson-backend-windows": "plugged/account", "Caisson-Backend-Windows-Token.EXE": "plugged/token",
		"caisson-backend-windows-lean": "plugged/account-lean", "caisson-backend-windows-container.exe": "plugged/container",
		"caisson-backend-linux": "", "x": "",
	} {
		b, err := served(name, "")
		if (err == nil) != (want != "") || err == nil && b.Info().Name != want {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}
