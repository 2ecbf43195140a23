// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
)

func sampleReport() Report {
	grant := diag.NewGrant(diag.GrantWeaker, string(guarantee.LimitMemory))
	return Report{
		Usable: true,
		Offers: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByKernel, Note: "home is on nfs4"}},
		Unmet:  []plan.Unmet{{ID: guarantee.LimitMemory, Reason: "no cgroup", Remedy: "delegate one", Grant: &grant}},
		Facts:  json.RawMessage(`{"kernel":"6.1"}`),
	}
}

func TestReportRoundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range []Report{sampleReport(), {Facts: json.RawMessage("null")}} {
		text, err := EncodeReport(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeReport(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestReportRefuses(t *testing.T) {
	t.Parallel()
	text, err := EncodeReport(sampleReport())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"usable":true`, `"usable":true,"forced":true`, `"forced"`},
		{`"usable":true`, `"usable":"yes"`, "true or false"},
		{`"fs.write.confined"`, `"fs.write.everything"`, "unknown guarantee fs.write.everything"},
		{`"kernel","note"`, `"magic","note"`, "unknown magic"},
		{`home is on nfs4`, `home\u001b[2J`, "no plain sentence"},
		{`no cgroup`, `no \u202ecgroup`, "no plain sentence"},
		{`no cgroup`, strings.Repeat("long ", 1000), "no plain sentence"},
		{`"id":"proc.limit.memory"`, `"id":"fs.write.confined"`, "offers fs.write.confined and says"},
		{`"id":"proc.limit.memory"`, `"id":"x\u001b]0;y"`, "unknown guarantee"},
		{`"facts":{`, `"facts":{"a":1,"a":2,`, "duplicate key"},
	} {
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if changed == string(text) {
			t.Errorf("%q is not in %s", c.old, text)
		}
		_, err := DecodeReport([]byte(changed))
		if d, ok := errors.AsType[*diag.Diagnostic](err); !ok || d.Code != diag.PlanInvalid || !strings.Contains(d.Message+d.Remedy, c.want) {
			t.Errorf("%s for %s: %v, want %q", c.new, c.old, err, c.want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\u202e") {
			t.Errorf("the message can drive a terminal: %q", err)
		}
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	good := Info{Name: "bwrap", Version: "1.0", OS: []string{"linux"}, Rank: 3}
	text, err := EncodeInfo(good)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeInfo(text); err != nil || !reflect.DeepEqual(got, good) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []Info{
		{Version: "1", OS: good.OS}, {Name: "x", OS: good.OS}, {Name: "x", Version: "1"},
		{Name: "x", Version: "1", OS: []string{"beos"}}, {Name: "a b", Version: "1", OS: good.OS},
		{Name: "a\x1b[2J", Version: "1", OS: good.OS}, {Name: strings.Repeat("a", 65), Version: "1", OS: good.OS},
	} {
		text, err := EncodeInfo(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeInfo(text); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	grant := diag.NewGrant(diag.GrantWrite, "/")
	told := diag.New(diag.ModeUnsupported, "no such mode", "use another").With(grant)
	text, err := EncodeRefusal(fmt.Errorf("wrapped: %w", told))
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRefusal(text)
	if err != nil || got.Code != told.Code || got.Message != told.Message || got.Remedy != told.Remedy {
		t.Errorf("%+v, %v", got, err)
	}
	if got != nil && got.Grant != nil {
		t.Error("a backend widens the policy")
	}
	if text, err = EncodeRefusal(errors.New("plain")); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeRefusal(text); err != nil || got.Code != diag.PlanInvalid || got.Message != "plain" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{
		`{"code":"quarantined","message":"a note is no refusal","grant":null}`,
		`{"code":"new","message":"m","grant":null}`, `{"code":"plan-invalid","message":"","grant":null}`,
		`{"code":"plan-invalid","message":"\u001b[2J","grant":null}`, `{"code":"plan-invalid","message":"m","grant":null}x`,
	} {
		if got, err := DecodeRefusal([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	text, err := EncodeReport(sampleReport())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"name":"x","version":"1","os":["linux"],"rank":1}`))
	f.Add([]byte(`{"code":"plan-invalid","message":"m","grant":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := DecodeReport(text); err == nil {
			again, err := EncodeReport(r)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if _, err := DecodeReport(again); err != nil {
				t.Errorf("%s is written as %s: %v", text, again, err)
			}
		}
		if i, err := DecodeInfo(text); err == nil && i.Check() != nil {
			t.Errorf("%s passes unchecked", text)
		}
		if d, err := DecodeRefusal(text); err == nil && !IsSentence(d.String()) && len(d.String()) < maxWords {
			t.Errorf("%s passes unchecked", text)
		}
	})
}
