// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpleval"
)

const (
	tmpDirs = "/private/var/folders/zz/me/T/caisson"
	ownTmp  = tmpDirs + "/mine"
	ownTTY  = "/dev/ttys007"
	// proxyPort is where caisson's proxy listens.
	proxyPort = 61080
)

// row is one line of the table of decisions.
type row struct {
	policy  string
	allow   bool
	act     string
	args    []string
	folding bool // on volumes that ignore case only
}

func (r row) String() string {
	verdict := "deny"
	if r.allow {
		verdict = "allow"
	}
	return fmt.Sprintf("%s: %s %s %s", r.policy, verdict, r.act, strings.Join(r.args, " "))
}

// decisions reads the table.
func decisions(t testing.TB) []row {
	t.Helper()
	text, err := os.ReadFile("testdata/decisions/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	name, folding := "", false
	expand := strings.NewReplacer("$W", ws, "$H", home, "$T", ownTmp, "$S", state)
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(line, "#"):
		case words[0] == "policy" && len(words) == 2:
			name, folding = words[1], false
		case words[0] == "folding":
			folding = true
		case name != "" && len(words) >= 2 && (words[0] == "allow" || words[0] == "deny"):
			for _, plain := range braces(expand.Replace(strings.Join(words[1:], " "))) {
				w := strings.Fields(plain)
				r := row{name, words[0] == "allow", w[0], w[1:], folding}
				if act, ok := strings.CutSuffix(r.act, "-to"); ok { // link or clone to where a file may be made
					r.act, r.args = act, append(r.args, ownTmp+"/new")
				}
				rows = append(rows, r)
			}
		default:
			t.Fatalf("rows.txt: %q", line)
		}
	}
	return rows
}

// braces spells out {a,b}.
func braces(s string) []string {
	open := strings.IndexByte(s, '{')
	if open < 0 {
		return []string{s}
	}
	end := open + strings.IndexByte(s[open:], '}')
	var list []string
	for _, one := range strings.Split(s[open+1:end], ",") {
		list = append(list, braces(s[:open]+one+s[end+1:])...)
	}
	return list
}

// worlds are the files of the tests, on a volume that ignores case and on one
// that does not.
func worlds(t testing.TB) map[bool]*sbpleval.World {
	t.Helper()
	text, err := os.ReadFile("testdata/decisions/world.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := map[bool]*sbpleval.World{}
	for _, sensitive := range []bool{false, true} {
		if list[sensitive], err = sbpleval.NewWorld(string(text), sensitive); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// params are what the launcher passes with a profile.
func params() map[string]string {
	return map[string]string{"TMP": ownTmp, "TTY": ownTTY, "PROXY": "localhost:" + itoa(proxyPort)}
}

func interpreted(t testing.TB, profile string) *sbpleval.Profile {
	t.Helper()
	p, err := sbpleval.Interpret(profile, params())
	if err != nil {
		t.Fatalf("%v\n%s", err, profile)
	}
	return p
}

// lowered are the operations that a row asks for, on each kind of volume that
// it is about.
func (r row) lowered(t testing.TB, worlds map[bool]*sbpleval.World) [][]sbpleval.Access {
	var list [][]sbpleval.Access
	for sensitive, w := range worlds {
		if sensitive && r.folding {
			continue
		}
		accesses, err := w.Lower(r.act, r.args...)
		if err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		same := func(o []sbpleval.Access) bool { return reflect.DeepEqual(o, accesses) }
		if !slices.ContainsFunc(list, same) {
			list = append(list, accesses)
		}
	}
	return list
}

// wrong returns the first reading under which a profile does not give a row's
// verdict.
func (r row) wrong(p *sbpleval.Profile, lowered [][]sbpleval.Access) string {
	for _, list := range lowered {
		addresses := slices.ContainsFunc(list, func(a sbpleval.Access) bool { return a.Request.Remote != "" || a.Request.Local != "" })
		for _, m := range sbpleval.Models() {
			if m.Mapped && !addresses {
				continue
			}
			if p.Allowed(m, list) != r.allow {
				return fmt.Sprintf("%+v: %+v", m, list)
			}
		}
	}
	return ""
}

// TestDecisions judges each row under every reading. It is MODELLED.
func TestDecisions(t *testing.T) {
	t.Parallel()
	files := worlds(t)
	profiles := map[string]*sbpleval.Profile{}
	for _, s := range samples() {
		profiles[s.name] = interpreted(t, profileOf(t, s.plan(t)))
	}
	count := map[bool]int{}
	seen := map[string]bool{}
	for _, r := range decisions(t) {
		p, ok := profiles[r.policy]
		if !ok {
			t.Fatalf("there is no policy %q", r.policy)
		}
		if seen[r.String()] {
			t.Errorf("%s: stands twice", r)
		}
		seen[r.String()] = true
		count[r.allow]++
		if why := r.wrong(p, r.lowered(t, files)); why != "" {
			t.Errorf("%s: wrong under %s", r, why)
		}
	}
	t.Logf("%d rows allow, %d deny", count[true], count[false])
	if count[true] < 150 || count[false] < 250 {
		t.Errorf("%d rows allow and %d deny: too few", count[true], count[false])
	}
}
