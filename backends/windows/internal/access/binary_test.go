// SPDX-License-Identifier: Apache-2.0

package access

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRaw compares edits of binary lists with those of the model.
func TestRaw(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(31, 32))
	g := generator{random: random, generic: true, ownerRights: true}
	for range 2000 {
		l := g.question().d.DACL
		raw, err := ToRaw(l)
		if err != nil {
			t.Fatal(err)
		}
		back, err := FromRaw(raw)
		if err != nil || !slices.Equal(back, append([]ACE{}, l...)) {
			t.Fatalf("%s read back as %s, %v", written(l), written(back), err)
		}
		a := ACE{Kind(random.IntN(2)), Flags(random.IntN(16)), g.mask(), other}
		if random.IntN(3) == 0 && len(l) > 0 {
			a = l[random.IntN(len(l))]
		}
		want, added := Insert(l, a)
		got, err := InsertRaw(raw, a)
		if err != nil {
			t.Fatal(err)
		}
		if have, err := FromRaw(got); err != nil || !slices.Equal(have, append([]ACE{}, want...)) {
			t.Fatalf("%s and %s: %s, want %s", written(l), a, written(have), written(want))
		}
		if has, err := HasRaw(got, a); err != nil || !has {
			t.Fatalf("%s is not in %s", a, written(want))
		}
		again, err := RemoveRaw(got, a)
		if err != nil {
			t.Fatal(err)
		}
		if added && !bytes.Equal(again, raw) {
			t.Fatalf("%s and %s: taken out again %x, it was %x", written(l), a, again, raw)
		}
	}
}

// TestRawUnknown: entries of types that the model does not know keep their bytes.
func TestRawUnknown(t *testing.T) {
	t.Parallel()
	callback := []byte{9, 0, 20, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}
	raw, err := joinACL(2, []rawACE{callback})
	if err != nil {
		t.Fatal(err)
	}
	a := ACE{Deny, 0, 1, Everyone}
	got, err := InsertRaw(raw, a)
	if err != nil || !bytes.HasSuffix(got, callback) {
		t.Errorf("%x, %v", got, err)
	}
	if _, err := FromRaw(raw); !errors.Is(err, ErrList) {
		t.Errorf("it is read as known: %v", err)
	}
	if l, err := MostFromRaw(raw); err != nil || written(l) != "(A;;0x1;;;S-1-1-0)" {
		t.Errorf("an allow under a condition: %s, %v", written(l), err)
	}
}

func FuzzRaw(f *testing.F) {
	raw, err := ToRaw([]ACE{{Allow, 0, 1, Everyone}, {Deny, Inherited, 2, Administrators}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		a := ACE{Deny, 0, 4, other}
		with, err := InsertRaw(raw, a)
		if err != nil {
			if _, again := FromRaw(raw); errors.Is(err, ErrList) && again == nil && len(raw) < 0xff00 {
				t.Fatalf("%x: %v", raw, err)
			}
			return
		}
		if has, err := HasRaw(with, a); err != nil || !has {
			t.Fatalf("%x: %t, %v", raw, has, err)
		}
	})
}
