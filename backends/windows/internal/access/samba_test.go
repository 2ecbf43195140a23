// SPDX-License-Identifier: Apache-2.0

package access

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSamba asks Samba's access check the same random questions. It knows the
// first pass only. Where it differs from the documentation of Windows, quirk
// names the difference; any other one fails.
func TestSamba(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // Debian's, which has the modules of its packages
	if exec.Command(python, "-c", "import samba.security").Run() != nil {
		t.Skip("SKIPPED: the package python3-samba is not installed")
	}
	const most = 120_000
	g := generator{random: rand.New(rand.NewPCG(7, 9)), ownerRights: true, maximum: true, privileges: true}
	questions := make([]question, most)
	var in, out bytes.Buffer
	for i := range questions {
		questions[i] = g.question()
		in.WriteString(questions[i].line())
	}
	cmd := exec.Command(python, "testdata/oracle.py")
	var complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, complaint.Bytes())
	}
	answers := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(answers) != most {
		t.Fatalf("%d answers to %d questions", len(answers), most)
	}
	quirks, granted, different := map[string]int{}, 0, 0
	for i, theirs := range answers {
		ours := questions[i].answer()
		if strings.HasPrefix(ours, "0x") {
			granted++
		}
		if ours == theirs {
			continue
		}
		if q := sambaQuirk(questions[i], ours, theirs); q != "" {
			quirks[q]++
			continue
		}
		if different++; different <= 5 {
			t.Errorf("ours %s, Samba's %s: %s", ours, theirs, questions[i].line())
		}
	}
	if different > 0 {
		t.Errorf("%d of %d answers differ without a reason", different, most)
	}
	if granted < most/20 || granted > most*19/20 {
		t.Errorf("%d of %d granted: the questions are too much alike", granted, most)
	}
	t.Logf("%d questions, %d granted, differences with a reason: %v", most, granted, quirks)
}

// sambaQuirk names why Samba's answer is another one:
//
//   - it gives WRITE_OWNER for SeTakeOwnershipPrivilege only where that is asked
//     for, not as part of all that can be had;
//   - all that can be had is granted where that is nothing.
//   - where there is no list, what is asked for is granted as it stands:
//     without a look at privileges, and without finding out what could be had.
func sambaQuirk(q question, ours, theirs string) string {
	if q.d.DACL == nil {
		asked := q.desired &^ MaximumAllowed
		for _, granted := range []Mask{asked, asked | ReadControl | WriteDAC} {
			if theirs == fmt.Sprintf("0x%x", uint32(granted)) {
				return "no list"
			}
		}
	}
	if q.desired&MaximumAllowed == 0 {
		return ""
	}
	if ours == "denied" && theirs == "0x0" {
		return "nothing is granted"
	}
	without := q
	without.t.Privileges = slices.DeleteFunc(slices.Clone(q.t.Privileges), func(p Privilege) bool { return p == TakeOwnership })
	if q.desired&WriteOwner == 0 && q.t.Has(TakeOwnership) {
		if a := without.answer(); a == theirs || a == "denied" && theirs == "0x0" {
			return "no owner by privilege"
		}
	}
	return ""
}
