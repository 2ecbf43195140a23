// SPDX-License-Identifier: Apache-2.0

package access

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func list(t *testing.T, text string) []ACE {
	t.Helper()
	l, err := parseACEs(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func written(l []ACE) string {
	var b strings.Builder
	for _, a := range l {
		b.WriteString(a.String())
	}
	return b.String()
}

// TestInherit follows the table of [MS-DTYP] 2.5.3.4 and "ACE Inheritance Rules".
func TestInherit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ parent, file, dir string }{
		{"(A;;FR;;;WD)", "", ""},
		{"(A;OI;FR;;;WD)", "(A;ID;0x120089;;;S-1-1-0)", "(A;OIIOID;0x120089;;;S-1-1-0)"},
		{"(A;CI;FR;;;WD)", "", "(A;CIID;0x120089;;;S-1-1-0)"},
		{"(A;OICI;FR;;;WD)", "(A;ID;0x120089;;;S-1-1-0)", "(A;OICIID;0x120089;;;S-1-1-0)"},
		{"(A;OICIIO;FR;;;WD)", "(A;ID;0x120089;;;S-1-1-0)", "(A;OICIID;0x120089;;;S-1-1-0)"},
		{"(A;OICINP;FR;;;WD)", "(A;ID;0x120089;;;S-1-1-0)", "(A;ID;0x120089;;;S-1-1-0)"},
		{"(A;OINP;FR;;;WD)", "(A;ID;0x120089;;;S-1-1-0)", ""},
		{"(A;OICI;GR;;;WD)", "(A;ID;0x120089;;;S-1-1-0)", "(A;ID;0x120089;;;S-1-1-0)(A;OICIIOID;0x80000000;;;S-1-1-0)"},
		{"(A;OICIIO;FA;;;CO)", "(A;ID;0x1f01ff;;;" + string(me) + ")", "(A;ID;0x1f01ff;;;" + string(me) + ")(A;OICIIOID;0x1f01ff;;;S-1-3-0)"},
		{"(A;OICIIONP;FA;;;CG)", "(A;ID;0x1f01ff;;;" + string(team) + ")", "(A;ID;0x1f01ff;;;" + string(team) + ")"},
		{"(D;OICI;0x2;;;WD)(A;OICI;FA;;;WD)", "(D;ID;0x2;;;S-1-1-0)(A;ID;0x1f01ff;;;S-1-1-0)", "(D;OICIID;0x2;;;S-1-1-0)(A;OICIID;0x1f01ff;;;S-1-1-0)"},
	} {
		p := list(t, c.parent)
		if got := written(InheritACEs(p, false, me, team, Files())); got != c.file {
			t.Errorf("%s: a file takes %s, want %s", c.parent, got, c.file)
		}
		if got := written(InheritACEs(p, true, me, team, Files())); got != c.dir {
			t.Errorf("%s: a directory takes %s, want %s", c.parent, got, c.dir)
		}
	}
}

func TestInsert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ list, ace, want string }{
		{"", "(A;;0x1;;;WD)", "(A;;0x1;;;S-1-1-0)"},
		{"(A;;0x1;;;WD)", "(D;;0x2;;;WD)", "(D;;0x2;;;S-1-1-0)(A;;0x1;;;S-1-1-0)"},
		{"(A;ID;0x1;;;WD)", "(A;;0x2;;;WD)", "(A;;0x2;;;S-1-1-0)(A;ID;0x1;;;S-1-1-0)"},
		{"(D;;0x1;;;WD)(A;;0x1;;;WD)(D;ID;0x4;;;WD)", "(D;;0x2;;;WD)", "(D;;0x1;;;S-1-1-0)(D;;0x2;;;S-1-1-0)(A;;0x1;;;S-1-1-0)(D;ID;0x4;;;S-1-1-0)"},
		{"(A;;0x1;;;WD)", "(A;;0x1;;;WD)", "(A;;0x1;;;S-1-1-0)"},
	} {
		before := list(t, c.list)
		a := list(t, c.ace)[0]
		after, changed := Insert(before, a)
		if got := written(after); got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.list, c.ace, got, c.want)
		}
		if Canonical(before) && !Canonical(after) {
			t.Errorf("%s is not in order", written(after))
		}
		back, removed := Remove(after, a)
		if changed && (!removed || written(back) != written(before)) {
			t.Errorf("%s: taken out again: %s", c.list, written(back))
		}
	}
}

// TestVolumeUndo adds random entries to a tree and takes them out again, in
// any order of the paths: what was there comes back.
func TestVolumeUndo(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 5))
	g := generator{random: random, generic: true}
	paths := []string{`C:\a`, `C:\a\b`, `C:\a\b\c`, `C:\a\d`}
	for range 500 {
		v := &Volume{}
		v.Put(`C:`, true, g.question().d)
		for _, p := range paths {
			d := g.question().d
			d.Protected = random.IntN(5) == 0
			if d.DACL == nil {
				d.DACL = []ACE{}
			}
			v.Put(p, p != `C:\a\d`, d)
		}
		v.Settle()
		before := v.Snapshot()
		type edit struct {
			path string
			ace  ACE
		}
		var done []edit
		for range random.IntN(8) {
			e := edit{paths[random.IntN(len(paths))], ACE{Kind(random.IntN(2)), Flags(random.IntN(16)), g.mask(), other}}
			changed, err := v.Add(e.path, e.ace)
			if err != nil {
				t.Fatal(err)
			}
			if changed {
				done = append(done, e)
			}
		}
		random.Shuffle(len(done), func(i, j int) { done[i], done[j] = done[j], done[i] })
		for _, e := range done {
			if changed, err := v.Take(e.path, e.ace); err != nil || !changed {
				t.Fatalf("take %v: %t, %v", e, changed, err)
			}
		}
		if after := v.Snapshot(); after != before {
			t.Fatalf("before\n%s\nafter\n%s", before, after)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	sd := func(dacl string) Descriptor {
		d, err := ParseDescriptor("O:" + string(other) + "G:" + string(team) + "D:P" + dacl)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	v := &Volume{}
	v.Put(`C:`, true, sd("(A;;FA;;;"+string(me)+")"))
	v.Put(`C:\shut`, true, sd(""))
	v.Put(`C:\shut\open`, false, sd("(A;;FA;;;"+string(me)+")"))
	v.Put(`C:\file`, false, sd(""))
	v.Put(`C:\list`, true, sd("(A;;0x1;;;"+string(me)+")"))
	v.Put(`C:\list\file`, false, sd(""))
	passes := Token{User: me, Integrity: Medium, Privileges: []Privilege{ChangeNotify}}
	stays := Token{User: me, Integrity: Medium}
	for _, c := range []struct {
		t    Token
		act  Act
		path string
		want bool
	}{
		{passes, ActDelete, `C:\file`, true}, // by FILE_DELETE_CHILD on the directory
		{passes, ActRead, `C:\file`, false},
		{passes, ActDelete, `C:\list\file`, false},
		{passes, ActStat, `C:\list\file`, true}, // by listing the directory
		{passes, ActStat, `C:\shut\open`, true},
		{passes, ActRead, `C:\shut\open`, true},
		{stays, ActRead, `C:\shut\open`, false}, // no right to pass the directory
		{passes, ActCreate, `C:\list`, false},
		{passes, ActRead, `X:\nowhere`, false},
	} {
		if got := v.May(c.t, c.act, c.path); got != c.want {
			t.Errorf("%s %s: %t", c.act, c.path, got)
		}
	}
	if !v.MayRename(passes, `C:\file`, false, `C:\`) || v.MayRename(passes, `C:\file`, false, `C:\list`) {
		t.Error("a rename takes DELETE here and FILE_ADD_FILE there")
	}
}
