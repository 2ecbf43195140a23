// SPDX-License-Identifier: Apache-2.0

package access

import (
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// TestRecord records a corpus into the file that CAISSON_RECORD names: random
// questions to this machine's kernel about tokens that are made from this
// process's own, with groups only to deny, restricting SIDs, and both kinds of
// second pass. That the model says the same is looked at at once.
func TestRecord(t *testing.T) {
	file := os.Getenv("CAISSON_RECORD")
	if file == "" {
		t.Skip("SKIPPED: CAISSON_RECORD names no file")
	}
	wine := windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
	head := corpusHead{Format: 1, System: "windows", Build: int(windows.RtlGetVersion().BuildNumber), Arch: runtime.GOARCH}
	if wine {
		head.System = "wine"
	}
	if k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, registry.QUERY_VALUE); err == nil {
		head.Edition, _, _ = k.GetStringValue("EditionID") // without one it is empty
		k.Close()
	}
	var own windows.Token
	const rights = windows.TOKEN_DUPLICATE | windows.TOKEN_QUERY | windows.TOKEN_ASSIGN_PRIMARY
	if err := windows.OpenProcessToken(windows.CurrentProcess(), rights, &own); err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	g := generator{random: rand.New(rand.NewPCG(61, 62)), ownerRights: true, maximum: true}
	base := modelWithLevel(t, own)
	sids := []SID{base.User, "S-1-5-21-1-2-3-1001", "S-1-5-12"}
	for _, group := range base.Groups {
		sids = append(sids, group.SID)
	}
	var tokens []windows.Token
	var models []Token
	for range 40 {
		token, model := restricted(t, g, own, base, sids)
		defer token.Close()
		tokens, models = append(tokens, token), append(models, model)
	}
	pick := func() SID { return sids[g.random.IntN(len(sids))] }
	questions := func(i int) (list []question) {
		for range 250 {
			q := g.question()
			q.t, q.d.Owner, q.d.Group, q.d.Label = models[i], pick(), pick(), g.label()
			for n := range q.d.DACL {
				if q.d.DACL[n].SID != OwnerRights {
					q.d.DACL[n].SID = pick()
				}
			}
			list = append(list, q)
		}
		return list
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	err = writeCorpus(f, head, models, questions, func(i int, q question) (string, error) {
		theirs, err := ask(q, tokens[i])
		if ours := kernelWord(q.answer()); err == nil && ours != theirs {
			if differ++; differ <= 5 && !wine {
				t.Errorf("the kernel says %s, the model %s, restricting %q, write %t: %s", theirs, ours, q.t.Restricting, q.t.WriteRestricted, q.line())
			}
		}
		return theirs, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d tokens, %d answers are not the model's", file, len(tokens), differ)
}

// modelWithLevel is modelOf with the integrity that the token has.
func modelWithLevel(t *testing.T, token windows.Token) Token {
	t.Helper()
	m := modelOf(t, token)
	groups, err := token.GetTokenGroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups.AllGroups() {
		if level, ok := integrityOf(SID(g.Sid.String())); ok && g.Attributes&windows.SE_GROUP_INTEGRITY != 0 {
			m.Integrity = level
		}
	}
	return m
}

// restricted makes a token with less, and says what it should be.
func restricted(t *testing.T, g generator, own windows.Token, model Token, sids []SID) (windows.Token, Token) {
	t.Helper()
	named := func(s SID) *windows.SID {
		sid, err := windows.StringToSid(string(s))
		if err != nil {
			t.Fatal(err)
		}
		return sid
	}
	var deny, restricting []*windows.SID
	groups := make([]Group, len(model.Groups))
	for i, group := range model.Groups {
		if g.random.IntN(4) == 0 {
			deny = append(deny, named(group.SID))
			group.Enabled, group.DenyOnly = false, true
		}
		groups[i] = group
	}
	model.Groups = groups
	flags := uint32(winapi.DisableMaxPrivilege)
	if g.random.IntN(4) > 0 {
		model.Restricting = []SID{}
		for range 1 + g.random.IntN(3) {
			s := sids[g.random.IntN(len(sids))]
			restricting, model.Restricting = append(restricting, named(s)), append(model.Restricting, s)
		}
		if model.WriteRestricted = g.random.IntN(2) == 0; model.WriteRestricted {
			flags |= winapi.WriteRestricted
		}
	}
	primary, err := winapi.Restrict(own, flags, deny, restricting)
	if err != nil {
		t.Fatal(err)
	}
	defer primary.Close()
	var token windows.Token
	err = windows.DuplicateTokenEx(primary, windows.TOKEN_QUERY|windows.TOKEN_IMPERSONATE, nil, windows.SecurityIdentification, windows.TokenImpersonation, &token)
	if err != nil {
		t.Fatal(err)
	}
	return token, model
}
