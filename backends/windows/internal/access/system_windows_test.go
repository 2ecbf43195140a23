// SPDX-License-Identifier: Apache-2.0

package access

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// TestSystem asks the system's own AccessCheck random questions about the token
// of this process. On Windows every answer must be the model's. Wine has quirks
// of its own, which wineAnswer has; with them every answer must be equal too.
func TestSystem(t *testing.T) {
	wine := windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
	var own, token windows.Token
	if err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_DUPLICATE|windows.TOKEN_QUERY, &own); err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	err := windows.DuplicateTokenEx(own, windows.TOKEN_QUERY|windows.TOKEN_IMPERSONATE, nil, windows.SecurityIdentification, windows.TokenImpersonation, &token)
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	model := modelOf(t, token)
	sids := []SID{model.User, "S-1-5-21-1-2-3-1001"}
	for _, g := range model.Groups {
		sids = append(sids, g.SID)
	}
	const most = 100_000
	g := generator{random: rand.New(rand.NewPCG(41, 42))}
	granted, quirks := 0, 0
	for range most {
		q := g.question()
		pick := func() SID { return sids[g.random.IntN(len(sids))] }
		q.t, q.d.Owner, q.d.Group = model, pick(), pick()
		for i := range q.d.DACL {
			q.d.DACL[i].SID = pick()
		}
		theirs, err := ask(q, token)
		if err != nil {
			t.Fatalf("%s: %v", q.line(), err)
		}
		ours := q.answer()
		want := ours
		if wine {
			want = wineAnswer(q)
		}
		if want != ours {
			quirks++
		}
		if theirs != want {
			t.Fatalf("the system says %s, the model %s: %s", theirs, want, q.line())
		}
		if theirs != "denied" {
			granted++
		}
	}
	if granted < most/50 || granted > most*49/50 {
		t.Errorf("%d of %d granted: the questions are too much alike", granted, most)
	}
	t.Logf("%d questions, %d granted; quirks of Wine decided %d", most, granted, quirks)
}

// modelOf writes a token down.
func modelOf(t *testing.T, token windows.Token) Token {
	t.Helper()
	user, err := token.GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	m := Token{User: SID(user.User.Sid.String()), Integrity: High}
	groups, err := token.GetTokenGroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups.AllGroups() {
		if g.Attributes&windows.SE_GROUP_INTEGRITY == 0 {
			m.Groups = append(m.Groups, Group{SID: SID(g.Sid.String()), Enabled: g.Attributes&windows.SE_GROUP_ENABLED != 0,
				DenyOnly: g.Attributes&windows.SE_GROUP_USE_FOR_DENY_ONLY != 0})
		}
	}
	return m
}

// ask gives the system's answer.
func ask(q question, token windows.Token) (string, error) {
	sd, err := windows.SecurityDescriptorFromString(q.d.String())
	if q.d.DACL == nil {
		// Not every system reads the word for a list that grants everything.
		sd, err = windows.SecurityDescriptorFromString(fmt.Sprintf("O:%sG:%s", q.d.Owner, q.d.Group))
	}
	if err != nil {
		return "", err
	}
	m := Files()
	mapping := winapi.GenericMapping{Read: uint32(m.Read), Write: uint32(m.Write), Execute: uint32(m.Execute), All: uint32(m.All)}
	var set winapi.PrivilegeSet
	n := uint32(unsafe.Sizeof(set))
	var granted uint32
	var status int32
	err = winapi.AccessCheck(sd, token, uint32(m.Map(q.desired)), &mapping, &set, &n, &granted, &status)
	switch {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED), err == nil && status == 0:
		return "denied", nil
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("0x%x", granted), nil
}

// wineAnswer is the model with what Wine does otherwise: the owner has all
// standard rights, and a deny is looked at for rights that are allowed already.
func wineAnswer(q question) string {
	if q.d.DACL == nil {
		return q.answer()
	}
	var granted Mask
	if q.t.holds(q.d.Owner, false) {
		granted = Delete | ReadControl | WriteDAC | WriteOwner | Synchronize
	}
	for _, a := range q.d.DACL {
		if granted&q.desired == q.desired {
			break
		}
		member := q.t.User == a.SID || slices.ContainsFunc(q.t.Groups, func(g Group) bool { return g.SID == a.SID && g.Enabled })
		switch {
		case a.Flags&InheritOnly != 0 || !member:
		case a.Kind == Deny && a.Mask&q.desired != 0:
			return "denied"
		case a.Kind == Allow:
			granted |= a.Mask
		}
	}
	if q.desired&^granted != 0 {
		return "denied"
	}
	return fmt.Sprintf("0x%x", uint32(q.desired))
}
