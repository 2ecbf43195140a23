// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

// TestRandomWorlds makes machines with random lists and policies with random
// rules, and wants: what commands may write outside of the roots is not claimed
// to be confined; what they may write that is protected is not claimed to be
// protected; undo gives back what was there, byte for byte.
func TestRandomWorlds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	claimed, breached := 0, 0
	for range 400 {
		h, f := recorded.Windows(), TypicalFacts("amd64")
		for _, dir := range []string{`\a`, `\a\b`, `\a\b\c`, `\d`} {
			h.AddDir(workspace + dir)
		}
		f.Places = append(f.Places, randomPlaces(random)...)
		settle(t, &f)
		r := resolve(t, h, func(p *policy.Policy) {
			for _, dir := range []string{`\a`, `\a\b`, `\a\b\c`, `\d`} {
				switch random.IntN(5) {
				case 0:
					p.Files.Protect = append(p.Files.Protect, workspace+dir)
				case 1:
					p.Files.Hide = append(p.Files.Hide, workspace+dir)
				case 2:
					p.Files.Show = append(p.Files.Show, workspace+dir)
				case 3:
					p.Files.Write = append(p.Files.Write, workspace+dir)
				}
			}
		})
		p, err := prepare(t, AccountName, f, r)
		if err != nil {
			continue // a root that cannot be written
		}
		v := world(t, f, r, p)
		before := v.Snapshot()
		undo, err := Apply(p.Windows, v)
		if err != nil {
			t.Fatal(err)
		}
		command := Bind(p.Windows)
		for _, path := range v.Paths() {
			a, _ := r.AccessTo(rooted(path))
			if a == policy.Write || pathspec.Windows.Within(p.Windows.Temp, path) {
				continue
			}
			id := guarantee.WriteConfined
			if pathspec.Windows.Within(workspace, path) {
				id = guarantee.WriteProtected
			}
			_, holds := p.Claims[id]
			for _, act := range access.Writes() {
				if !v.May(command, act, path) {
					continue
				}
				breached++
				if holds {
					t.Fatalf("the command may %s %s and %s is claimed\n%s", act, path, id, v.Snapshot())
				}
			}
			if holds {
				claimed++
			}
		}
		if err := Undo(undo, v); err != nil {
			t.Fatal(err)
		}
		if after := v.Snapshot(); after != before {
			t.Fatalf("undo left\n%s\nbefore it was\n%s", after, before)
		}
	}
	if claimed < 1000 || breached < 100 {
		t.Errorf("%d held decisions and %d breaches: the worlds are too much alike", claimed, breached)
	}
}

// settle brings the lists of the facts into agreement with those above them.
func settle(t *testing.T, f *Facts) {
	t.Helper()
	v, err := f.volume()
	if err != nil {
		t.Fatal(err)
	}
	v.Settle()
	for i, p := range f.Places {
		d, _ := v.Descriptor(p.Path)
		f.Places[i].SDDL = d.String()
	}
}

// randomPlaces are directories with lists that may admit anybody.
func randomPlaces(random *rand.Rand) []Place {
	who := []string{"WD", "AU", "BU", "IU", "{group}", "{user}", "{account}", "CO", "OW", "S-1-5-12", "S-1-2-0"}
	masks := []string{"FA", "FR", "0x1301bf", "0x40", "0x2", "0x10000", "0x40000", "0x80000", "GA", "GW"}
	flags := []string{"", "OICI", "OI", "CI", "OICIIO", "OICINP", "CINP"}
	var places []Place
	for _, path := range []string{workspace, workspace + `\a`, workspace + `\d`, `C:\x`, `D:\y`} {
		if random.IntN(3) > 0 {
			continue
		}
		sddl := "O:" + []string{"{user}", "BA", "{account}"}[random.IntN(3)] + "G:{user}D:"
		if random.IntN(12) == 0 {
			sddl += "NO_ACCESS_CONTROL"
		} else {
			sddl += "(A;OICI;FA;;;{user})"
			for range random.IntN(4) {
				kind := "A"
				if random.IntN(4) == 0 {
					kind = "D"
				}
				sddl += fmt.Sprintf("(%s;%s;%s;;;%s)", kind, flags[random.IntN(len(flags))], masks[random.IntN(len(masks))], who[random.IntN(len(who))])
			}
		}
		places = append(places, Place{Path: path, SDDL: sddl})
	}
	return places
}
