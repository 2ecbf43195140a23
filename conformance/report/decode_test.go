// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	reports := samples()
	reports["empty"].Results = []Result{}
	reports["empty"].Claims = guarantee.Set{}
	for name, r := range reports {
		if name == "hostile" {
			continue // it holds bytes that are no UTF-8, which JSON cannot
		}
		got, err := Decode(name, []byte(write(t, r, "json")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestDecodeHostile shows that the JSON form keeps what views escape.
func TestDecodeHostile(t *testing.T) {
	t.Parallel()
	r := hostile()
	got, err := Decode("hostile", []byte(write(t, r, "json")))
	if err != nil {
		t.Fatal(err)
	}
	for i, one := range got.Results {
		if want := strings.ToValidUTF8(r.Results[i].Why, "\ufffd"); one.Why != want && !strings.Contains(r.Results[i].Why, "\xff") {
			t.Errorf("why %q, want %q", one.Why, want)
		}
	}
}

// refusals are changes to a report that Decode must not read, with words of the
// error. Those that the schema cannot see are marked.
func refusals() map[string]struct {
	old, new string
	want     string
	beyond   bool
} {
	return map[string]struct {
		old, new string
		want     string
		beyond   bool
	}{
		"another schema":       {`"schema": 1`, `"schema": 2`, "f.json:2:3: the report has schema 2; this version reads schema 1", false},
		"no schema":            {`"schema": 1,`, ``, "no schema number", false},
		"schema as text":       {`"schema": 1`, `"schema": "1"`, "f.json:2:", false},
		"an unknown key":       {`"seed":`, `"sead":`, `f.json:19:3: the report has the unknown key "sead"`, false},
		"an unknown inner key": {`"why": ""`, `"wy": ""`, `results[0] has the unknown key "wy"`, false},
		"a key in capitals":    {`"results":`, `"Results":`, `the report has the unknown key "Results"`, false},
		"a key twice":          {`"seed": 271828182845`, `"seed": 1, "seed": 271828182845`, `the report has the key "seed" twice`, true},
		"a claim twice":        {`"claims": {`, `"claims": {"fs.read.hidden": {"by": "vm"},`, `claims has the key "fs.read.hidden" twice`, true},
		"a missing key":        {`"seed": 271828182845,`, ``, `f.json:1:1: the report lacks the key "seed"`, false},
		"a missing inner key":  {`"ms": 12,`, ``, `results[0] lacks the key "ms"`, false},
		"null":                 {`"complete": true`, `"complete": null`, "complete is null", false},
		"text for a number":    {`"ms": 12`, `"ms": "12"`, "cannot be a string", false},
		"a list for a table":   {`"claims": {`, `"claims": [], "x": {`, `unknown key "x"`, false},
		"half a millisecond":   {`"ms": 12`, `"ms": 12.5`, "cannot be a number 12.5", false},
		"a wrong verdict":      {`"verdict": "pass"`, `"verdict": "passed"`, `results[0].verdict is "passed"`, false},
		"a wrong requirement":  {`"requirement": "must"`, `"requirement": "MUST"`, `results[0].requirement is "MUST"`, false},
		"a wrong kind":         {`"kind": "wrap"`, `"kind": "toy"`, `target.kind is "toy"`, false},
		"a wrong user":         {`"user": "user"`, `"user": "nobody"`, `host.user is "nobody"`, false},
		"no name":              {`"name": "bubblewrap"`, `"name": ""`, "target.name is empty", false},
		"no system":            {`"os": "linux"`, `"os": ""`, "host.os or host.arch is empty", false},
		"no processor":         {`"cpus": 4`, `"cpus": 0`, "host.cpus is 0", false},
		"a negative time":      {`"ms": 12`, `"ms": -12`, "results[0].ms is -12", false},
		"a negative run":       {`"elapsed_ms": 48213`, `"elapsed_ms": -1`, "elapsed_ms is -1", false},
		"a negative seed":      {`"seed": 271828182845`, `"seed": -1`, "seed cannot be a number -1", false},
		"no date":              {`"date": "2026-03-14T09:26:53Z"`, `"date": "yesterday"`, "yesterday", false},
		"an id with markup":    {`"id": "read-01"`, `"id": "<b>"`, `results[0].id: "<b>" is no id`, false},
		"an id twice":          {`"id": "workspace-01"`, `"id": "read-01"`, "results[1].id: read-01 is there twice", true},
		"a claim of nothing":   {`"fs.read.hidden": {`, `"": {`, `claims: "" is no id`, false},
		"an odd guarantee":     {`"guarantee": "fs.read.hidden"`, `"guarantee": "FS"`, `results[7].guarantee: "FS" is no id`, false},
		"a lie in the outcome": {`"conformant": false`, `"conformant": true`, "conformant is true", true},
		"a lie in the counts":  {`"fail": 2`, `"fail": 0`, "counts is not what", true},
		"a verdict turned":     {`"verdict": "fail"`, `"verdict": "pass"`, "counts is not what", true},
		"no end":               {"  ]\n}\n", "", "unexpected end", true},
		"something after it":   {"  ]\n}\n", "  ]\n}\n{}", "after top-level value", true},
		"no JSON":              {"{\n  \"schema\"", "schema", "f.json:1:1: invalid character", true},
		"no UTF-8":             {`"name": "bubblewrap"`, "\"name\": \"\xff\"", "not UTF-8", true},
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := write(t, mixed(), "json")
	for name, c := range refusals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := strings.Replace(good, c.old, c.new, 1)
			if bad == good {
				t.Fatalf("%q is not in the report", c.old)
			}
			r, err := Decode("f.json", []byte(bad))
			if err == nil || r != nil {
				t.Fatal("it was read")
			}
			if !strings.HasPrefix(err.Error(), "f.json:") || !strings.Contains(err.Error(), c.want) || unsafe(err.Error()) {
				t.Errorf("error %q, want %q in it", err, c.want)
			}
		})
	}
	for _, text := range []string{"", "null", "[]", "1", `"x"`, "{}"} {
		if _, err := Decode("f.json", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), "f.json:") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

// FuzzDecode: what is read can be written in every format and read again, and no
// text gets out of its place.
func FuzzDecode(f *testing.F) {
	// One result at a time: the fuzzer is slow at making long texts shorter.
	whole := hostile()
	whole.Results = append(whole.Results, mixed().Results...)
	for _, one := range whole.Results {
		r := empty()
		r.Claims, r.Results = guarantee.Set{one.Guarantee: {By: guarantee.ByKernel}}, []Result{one}
		data, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode("f.json", data)
		if err != nil {
			if unsafe(err.Error()) || !strings.HasPrefix(err.Error(), "f.json:") {
				t.Errorf("error %q", err)
			}
			return
		}
		again, err := Decode("again", []byte(write(t, r, "json")))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Errorf("(-first +second)\n%s", diff)
		}
		m := Merge([]Report{*r, *again})
		if len(m.Columns) != 1 || m.Columns[0].Conformant != r.Conformant {
			t.Errorf("a report merged with itself has %d columns", len(m.Columns))
		}
		for _, format := range Formats() {
			if unsafe(write(t, r, format)) {
				t.Errorf("%s: a character came through that does not show", format)
			}
		}
		for _, format := range MatrixFormats() {
			if unsafe(write(t, &m, format)) {
				t.Errorf("%s: a character came through that does not show", format)
			}
		}
	})
}
