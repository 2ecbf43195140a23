// SPDX-License-Identifier: Apache-2.0

package access

import (
	"strings"
	"testing"
)

// token makes a token of me from words: a SID is an enabled group, "-SID" is
// there only to deny, "!SID" restricts, "WR" is write-restricted, "Se…" is a
// privilege, "low" and "high" are levels.
func token(t *testing.T, words string) Token {
	t.Helper()
	tok := Token{User: me, Integrity: Medium}
	for _, w := range strings.Fields(words) {
		name := func(s string) SID {
			sid, err := parseName(strings.NewReplacer("me", string(me), "other", string(other), "team", string(team)).Replace(s))
			if err != nil {
				t.Fatal(err)
			}
			return sid
		}
		switch {
		case w == "restricted":
			tok.Restricting = []SID{}
		case w == "WR":
			tok.WriteRestricted = true
			if tok.Restricting == nil {
				tok.Restricting = []SID{}
			}
		case w == "low":
			tok.Integrity = Low
		case w == "high":
			tok.Integrity = High
		case w == "denyuser":
			tok.UserDenyOnly = true
		case strings.HasPrefix(w, "Se"):
			tok.Privileges = append(tok.Privileges, Privilege(w))
		case strings.HasPrefix(w, "!"):
			tok.Restricting = append(tok.Restricting, name(w[1:]))
		case strings.HasPrefix(w, "-"):
			tok.Groups = append(tok.Groups, Group{SID: name(w[1:]), DenyOnly: true})
		default:
			tok.Groups = append(tok.Groups, Group{SID: name(w), Enabled: true})
		}
	}
	return tok
}

// TestCheck has vectors by hand, each with the sentence of the documentation
// that it follows.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why     string
		sd      string // owner other, group team
		token   string
		desired Mask
		granted Mask // 0: denied
	}{
		{"ACEs are looked at in order until all is allowed or one is denied", "D:(D;;0x1;;;WD)(A;;0x1;;;me)", "WD", 1, 0},
		{"an allow that comes first wins over a later deny", "D:(A;;0x1;;;me)(D;;0x1;;;WD)", "WD", 1, 1},
		{"a right that no ACE speaks of is denied", "D:(A;;0x1;;;me)", "", 3, 0},
		{"rights may come from several ACEs", "D:(A;;0x1;;;me)(A;;0x2;;;WD)", "WD", 3, 3},
		{"an empty list grants nothing", "D:", "", 1, 0},
		{"no list grants everything", "D:NO_ACCESS_CONTROL", "", 0x1f01ff, 0x1f01ff},
		{"no list grants everything to a restricted token too", "D:NO_ACCESS_CONTROL", "WR", 0x1f01ff, 0x1f01ff},
		{"an ACE that is only inherited does not count", "D:(A;OICIIO;0x1;;;me)", "", 1, 0},
		{"a group that is there only to deny allows nothing", "D:(A;;0x1;;;BA)", "-BA", 1, 0},
		{"and still denies", "D:(D;;0x1;;;BA)(A;;0x1;;;me)", "-BA", 1, 0},
		{"a user that is there only to deny allows nothing", "D:(A;;0x1;;;me)", "denyuser", 1, 0},
		{"the owner may read and change the list", "O:me", "", ReadControl | WriteDAC, ReadControl | WriteDAC},
		{"the owner may not become the owner by that", "O:me", "", WriteOwner, 0},
		{"a deny does not take the owner's rights", "O:meD:(D;;0x60000;;;me)", "", WriteDAC, WriteDAC},
		{"OWNER RIGHTS takes them away", "O:meD:(A;;0x20000;;;OW)", "", WriteDAC, 0},
		{"and gives what it says", "O:meD:(A;;0x20000;;;OW)", "", ReadControl, ReadControl},
		{"OWNER RIGHTS that is only inherited does not count", "O:meD:(A;OICIIO;0x20000;;;OW)", "", WriteDAC, WriteDAC},
		{"an owner that is there only to deny is none", "O:BA", "-BA", WriteDAC, 0},
		{"generic rights in the request are mapped", "D:(A;;0x120089;;;me)", "", GenericRead, 0x120089},
		{"generic rights in the list are mapped", "D:(A;;GR;;;me)", "", 0x120089, 0x120089},
		{"SeTakeOwnershipPrivilege gives WRITE_OWNER", "D:", "SeTakeOwnershipPrivilege", WriteOwner, WriteOwner},
		{"and that survives the second pass", "D:", "SeTakeOwnershipPrivilege !other", WriteOwner, WriteOwner},
		{"ACCESS_SYSTEM_SECURITY takes a privilege", "D:(A;;0x1000000;;;me)", "", SystemSecurity, 0},
		{"that is all it takes", "D:", "SeSecurityPrivilege", SystemSecurity, SystemSecurity},
		{"a restricted token needs both passes", "D:(A;;0x1;;;me)", "!other", 1, 0},
		{"both allow", "D:(A;;0x1;;;me)(A;;0x1;;;other)", "!other", 1, 1},
		{"the second pass alone is not enough", "D:(A;;0x1;;;other)", "!other", 1, 0},
		{"a deny for a restricting SID is looked at in the second pass", "D:(D;;0x1;;;other)(A;;0x1;;;me)(A;;0x1;;;other)", "!other", 1, 0},
		{"an empty list of restricting SIDs restricts", "D:(A;;0x1;;;me)", "restricted", 1, 0},
		{"the owner's rights need both passes", "O:me", "!other", WriteDAC, 0},
		{"and have them where the owner restricts", "O:me", "!me", WriteDAC, WriteDAC},
		{"write-restricted: reading passes by the first pass alone", "D:(A;;0x120089;;;me)", "WR !other", GenericRead, 0x120089},
		{"writing does not", "D:(A;;FA;;;me)", "WR !other", 2, 0},
		{"FILE_DELETE_CHILD is outside the second pass", "D:(A;;FA;;;me)", "WR !other", DeleteChild, DeleteChild},
		{"DELETE is inside", "D:(A;;FA;;;me)", "WR !other", Delete, 0},
		{"WRITE_DAC is inside", "D:(A;;FA;;;me)", "WR !BA", WriteDAC, 0},
		{"WRITE_OWNER is inside", "D:(A;;FA;;;me)", "WR !other", WriteOwner, 0},
		{"attributes are inside", "D:(A;;FA;;;me)", "WR !other", WriteAttributes, 0},
		{"a deny on a restricting SID hides nothing from reading", "D:(D;;0x1;;;other)(A;;0x1;;;me)", "WR !other", 1, 1},
		{"a deny on the user does", "D:(D;;0x1;;;me)(A;;0x1;;;me)", "WR !me", 1, 0},
		{"what is medium cannot be written from below", "D:(A;;FA;;;me)", "low", 2, 0},
		{"and can be read", "D:(A;;FA;;;me)", "low", 1, 1},
		{"a label that forbids reading", "D:(A;;FA;;;me)S:(ML;;NWNR;;;ME)", "low", 1, 0},
		{"a label does not stop who is as high", "D:(A;;FA;;;me)S:(ML;;NWNRNX;;;HI)", "high", 3, 3},
		{"a low label lets low write", "D:(A;;FA;;;me)S:(ML;;NW;;;LW)", "low", 2, 2},
		{"all that can be had", "D:(D;;0x2;;;WD)(A;;0x1f;;;me)", "WD", MaximumAllowed, 0x1d},
		{"the first ACE that speaks of a right decides it", "D:(A;;0x2;;;me)(D;;0x2;;;WD)", "WD", MaximumAllowed, 2},
		{"all that can be had by a write-restricted token", "D:(A;;FA;;;me)(A;;0x2;;;BA)", "WR !BA", MaximumAllowed, 0x1f01ff &^ (Files().WriteMask() &^ 2)},
		{"an explicit right must be among it", "D:(A;;0x1;;;me)", "", MaximumAllowed | 2, 0},
	} {
		text := strings.NewReplacer("other", string(other), "team", string(team)).Replace(c.sd)
		text = strings.ReplaceAll(text, ";me)", ";"+string(me)+")")
		text = strings.Replace(text, "O:me", "O:"+string(me), 1)
		if !strings.HasPrefix(text, "O:") {
			text = "O:" + string(other) + text
		}
		if !strings.Contains(text, "D:") {
			text += "D:"
		}
		d, err := ParseDescriptor("G:" + string(team) + text)
		if err != nil {
			t.Fatal(err)
		}
		granted, err := Check(d, token(t, c.token), c.desired, Files())
		if granted != c.granted || (err == nil) != (c.granted != 0) {
			t.Errorf("%s: %s with %q asks 0x%x: got 0x%x, %v, want 0x%x", c.why, d, c.token, uint32(c.desired), uint32(granted), err, uint32(c.granted))
		}
	}
}

// TestProcessMask: the rights to read the memory of a process and to end it
// are outside what the second pass of a write-restricted token looks at.
func TestProcessMask(t *testing.T) {
	t.Parallel()
	const terminate, vmRead, vmWrite = 0x1, 0x10, 0x20
	m := Processes().WriteMask()
	if m&(terminate|vmRead) != 0 || m&vmWrite == 0 {
		t.Errorf("the mask of processes is 0x%x", uint32(m))
	}
	if got := Files().WriteMask(); got != 0x10D0116 {
		t.Errorf("the mask of files is 0x%x", uint32(got))
	}
}

func TestNoOwner(t *testing.T) {
	t.Parallel()
	if _, err := Check(Descriptor{Owner: me}, Token{User: me}, 1, Files()); err != ErrNoOwner {
		t.Errorf("without a group: %v", err)
	}
	d := Descriptor{Owner: me, Group: team, Label: &ACE{Kind: Label, SID: Everyone}}
	if _, err := Check(d, Token{User: me}, 1, Files()); err != ErrLabelInvalid {
		t.Errorf("with a label that is none: %v", err)
	}
}
