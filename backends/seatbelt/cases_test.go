// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpleval"
)

// TestConformanceCases lowers each case of the conformance suite to operations
// and judges them, so that a case that is added there is thought about here.
// What it says is MODELLED.
func TestConformanceCases(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/decisions/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	profiles := map[string]*sbpleval.Profile{}
	for _, s := range samples() {
		profiles[s.name] = interpreted(t, profileOf(t, s.plan(t)))
	}
	expand := strings.NewReplacer("$W", ws, "$H", home, "$T", ownTmp, "$S", state)
	files := worlds(t)
	lowered, skipped := map[string]bool{}, map[string]bool{}
	for _, line := range strings.Split(string(raw), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[1] == "none" {
			skipped[words[0]] = true
			continue
		}
		lowered[words[0]] = true
		p := profiles[words[1]]
		if p == nil {
			t.Fatalf("there is no policy %q", words[1])
		}
		for _, act := range strings.Split(strings.Join(words[2:], " "), ";") {
			w := strings.Fields(expand.Replace(act))
			for i := range w {
				w[i] = strings.ReplaceAll(w[i], "%20", " ")
			}
			r := row{policy: words[1], allow: w[0] == "allow", act: w[1], args: w[2:]}
			if why := r.wrong(p, r.lowered(t, files)); why != "" {
				t.Errorf("%s: %s: wrong under %s", words[0], r, why)
			}
		}
	}
	for _, id := range caseIDs(t) {
		known := lowered[id] || skipped[id]
		for prefix := range skipped {
			known = known || strings.HasPrefix(id, prefix)
		}
		if !known {
			t.Errorf("the case %s of the conformance suite is not in cases.txt", id)
		}
		delete(lowered, id)
	}
	for id := range lowered {
		t.Errorf("the conformance suite has no case %s", id)
	}
}

// caseIDs reads the ids of the suite from its code: the suite imports the
// backends, so this package cannot import it.
func caseIDs(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("../../conformance/cases_*.go")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"([a-z]+-[0-9][0-9])"`).FindAllStringSubmatch(string(raw), -1) {
			list = append(list, m[1])
		}
	}
	if len(list) < 100 {
		t.Fatalf("only %d cases were found", len(list))
	}
	return sorted(list)
}
