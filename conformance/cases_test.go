// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

func TestTable(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	cases := conformance.Cases()
	if len(cases) < 120 {
		t.Errorf("%d cases", len(cases))
	}
	form := regexp.MustCompile(`^[a-z]+-[0-9]{2}$`)
	seen, judged := map[string]bool{}, map[guarantee.ID]bool{}
	for _, c := range cases {
		if !form.MatchString(c.ID) || seen[c.ID] {
			t.Errorf("the id %q is malformed or used twice", c.ID)
		}
		seen[c.ID], judged[c.Guarantee] = true, true
		if c.Title == "" || c.Meaning == "" || strings.HasSuffix(c.Title, ".") {
			t.Errorf("%s: title %q, meaning %q", c.ID, c.Title, c.Meaning)
		}
		if !c.Duty() && (!guarantee.Known(c.Guarantee) || c.Clause != string(c.Guarantee)) {
			t.Errorf("%s: guarantee %q, clause %q", c.ID, c.Guarantee, c.Clause)
		}
		if !strings.Contains(string(contract), `<a id="`+c.Clause+`"></a>`) {
			t.Errorf("%s: docs/contract.md has no anchor %q", c.ID, c.Clause)
		}
		if !slices.Contains([]conformance.Requirement{conformance.Must, conformance.Should, conformance.May}, c.Requirement) {
			t.Errorf("%s: requirement %q", c.ID, c.Requirement)
		}
	}
	for _, g := range guarantee.All() {
		if !judged[g.ID] {
			t.Errorf("no case judges %s", g.ID)
		}
	}
}

// TestIDs keeps ids from being used again: testdata/ids.txt lists all that ever
// were, those of cases that are gone with the word "retired".
func TestIDs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "ids.txt"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{} // and whether it is retired
	for line := range strings.Lines(string(text)) {
		id, word, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, twice := known[id]; twice || word != "" && word != "retired" {
			t.Errorf("ids.txt: %q", strings.TrimSpace(line))
		}
		known[id] = word == "retired"
	}
	for _, c := range conformance.Cases() {
		retired, ok := known[c.ID]
		if !ok {
			t.Errorf("%s is new: add it to testdata/ids.txt", c.ID)
		}
		if retired {
			t.Errorf("%s was the id of another case: take a new one", c.ID)
		}
		delete(known, c.ID)
	}
	for id, retired := range known {
		if !retired {
			t.Errorf("%s is gone: say \"retired\" behind it in testdata/ids.txt", id)
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name   string
		config conformance.Config
		first  string
		count  func(int) bool
		bad    string
	}{
		{name: "all", first: "read-01", count: func(n int) bool { return n == len(conformance.Cases()) }},
		{name: "a guarantee", config: conformance.Config{Guarantees: []string{"net.offline"}}, first: "net-01", count: func(n int) bool { return n >= 15 }},
		{name: "duties", config: conformance.Config{Guarantees: []string{"duty"}}, first: "read-01", count: func(n int) bool { return n >= 40 }},
		{name: "two", config: conformance.Config{Guarantees: []string{"env.scrubbed", "fd.noleak"}}, first: "env-01", count: func(n int) bool { return n >= 15 }},
		{name: "by id", config: conformance.Config{Match: "^hide-0[12]$"}, first: "hide-01", count: func(n int) bool { return n == 2 }},
		{name: "quick", config: conformance.Config{Quick: true}, first: "read-01", count: func(n int) bool { return n > 200 && n < len(conformance.Cases()) }},
		{name: "unknown guarantee", config: conformance.Config{Guarantees: []string{"net"}}, bad: `"net"`},
		{name: "nothing", config: conformance.Config{Match: "zzz"}, bad: "no case"},
		{name: "not a pattern", config: conformance.Config{Match: "("}, bad: "Match"},
		{name: "not a requirement", config: conformance.Config{Requirement: "maybe"}, bad: `"maybe"`},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			cases, err := conformance.Select(one.config)
			if one.bad != "" {
				if err == nil || !strings.Contains(err.Error(), one.bad) {
					t.Fatalf("%v, want %s", err, one.bad)
				}
				return
			}
			if err != nil || cases[0].ID != one.first || !one.count(len(cases)) {
				t.Fatalf("%d cases, %v", len(cases), err)
			}
		})
	}
}
