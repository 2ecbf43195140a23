// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// render prints a plan with one line for each step, its profile aside.
func render(t *testing.T, p *plan.Plan) string {
	t.Helper()
	var b strings.Builder
	line := func(what string, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, what, string(raw))
	}
	for _, step := range p.Steps {
		if s, ok := step.(plan.Seatbelt); ok {
			s.Profile = ""
			step = s
		}
		line(step.Name(), step)
	}
	for _, e := range p.Env {
		fmt.Fprintf(&b, "env %s=%s\n", e.Name, e.Value)
	}
	for _, id := range p.Claims.IDs() {
		line("claim "+string(id), p.Claims[id])
	}
	for _, u := range p.Unmet {
		line("unmet", u)
	}
	for _, n := range p.Notes {
		line("note", n)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := s.plan(t)
			again, err := plan.Encode(s.plan(t))
			if err != nil {
				t.Fatal(err)
			}
			if first, err := plan.Encode(p); err != nil || string(first) != string(again) {
				t.Errorf("the same request gives another plan, %v", err)
			}
			compareGolden(t, s.name+".sb", profileOf(t, p))
			compareGolden(t, s.name+".plan", render(t, p))
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := filepath.Join("testdata", name)
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
		t.Errorf("%s (-want +got):\n%s", golden, d)
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	var many []policy.Rule
	for i := range 3000 {
		many = append(many, rule(policy.Hidden, policy.KindFile, fmt.Sprintf("/Users/me/k%d", i)))
	}
	for _, c := range []struct {
		name, want string
		code       diag.Code
		edit       func(*policyText)
		rules      []policy.Rule
	}{
		{"another system", `linux`, diag.ModeUnsupported, func(p *policyText) { p.OS = "linux" }, nil},
		{"a control character", "control", diag.ModeUnsupported, nil, []policy.Rule{root("/Users/me/a\nb")}},
		{"text that runs backwards", "control", diag.ModeUnsupported, nil, []policy.Rule{root("/Users/me/\u202ebs.txt")}},
		{"a long path", "longer", diag.ModeUnsupported, nil, []policy.Rule{rule(policy.Hidden, policy.KindFile, "/"+strings.Repeat("a/", 500)+"b")}},
		{"many rules", "rules", diag.ModeUnsupported, nil, many},
		{"a firm link's other name", "'/Users/me/app'", diag.RootUnwritable, nil, []policy.Rule{root(dataVolume + "/Users/me/app")}},
		{"a hidden place for temporary files", "--tmp", diag.ModeUnsupported, nil, []policy.Rule{rule(policy.Hidden, policy.KindDir, "/private/var/folders")}},
		{"a protected place for temporary files", "--tmp", diag.ModeUnsupported, nil,
			[]policy.Rule{root("/private/var"), rule(policy.Read, policy.KindDir, "/private/var/folders")}},
		{"a root among temporary directories", "another directory", diag.ModeUnsupported, nil, []policy.Rule{root("/private/var/folders/zz/me/T/caisson/x")}},
	} {
		_, err := compile(Typical(), resolved(t, c.edit, c.rules...), false)
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != c.code || !strings.Contains(d.String(), strings.Trim(c.want, "'")) {
			t.Errorf("%s: got %v, want code %s with %s", c.name, err, c.code, c.want)
		}
	}
}

func TestFactsRefuse(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(Typical())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeFacts(raw); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"format":1`, `"format":2`, "format"},
		{`"arch":"arm64"`, `"arch":"ppc"`, "ppc"},
		{`"temp":"/`, `"temp":"`, "temporary"},
		{`"temp":"/private/var/folders/zz/me/T"`, `"temp":"/"`, "temporary"},
		{`"uid":501`, `"uid":501,"gid":20`, "gid"},
		{`}}`, `}} {}`, "follows"},
	} {
		text := strings.Replace(string(raw), c.old, c.new, 1)
		if text == string(raw) {
			t.Errorf("the facts have no %s", c.old)
		}
		var d *diag.Diagnostic
		if _, err := DecodeFacts([]byte(text)); !errors.As(err, &d) || !strings.Contains(d.Message, c.want) {
			t.Errorf("%s: %v", c.new, err)
		}
	}
}

// TestObstacles wants a host that cannot be used to claim nothing, and each
// reason to be said.
func TestObstacles(t *testing.T) {
	t.Parallel()
	r := samples()[0].resolved(t)
	for want, change := range map[string]func(*Facts){
		"confined twice": func(f *Facts) { f.Nested, f.Trial = true, Trial{Message: "71"} },
		"is missing":     func(f *Facts) { f.Executable, f.Trial = false, Trial{} },
		"status 65":      func(f *Facts) { f.Trial = Trial{Message: "status 65"} },
	} {
		f := Typical()
		change(&f)
		p, err := compile(f, r, false)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Claims) > 0 || len(p.Unmet) != len(r.Require()) || !strings.Contains(p.Unmet[0].Reason, want) {
			t.Errorf("%s: claims %v, unmet %v", want, p.Claims, p.Unmet)
		}
	}
}
