// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"slices"

	"github.com/caisson-sandbox/caisson/conformance/report"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Requirement says how much a case weighs, in the words of RFC 2119.
type Requirement string

// The requirements. A failed Must alone keeps a target from being conformant.
const (
	Must   Requirement = "must"
	Should Requirement = "should"
	May    Requirement = "may"
)

// Need is what a case asks of the host or of the target. Where it is missing
// the case is not applicable.
type Need string

// The needs.
const (
	NeedLinux    Need = "linux"    // Linux
	NeedUnix     Need = "unix"     // Linux or macOS
	NeedRoot     Need = "root"     // the suite runs as root
	NeedUser     Need = "user"     // the suite runs as an ordinary user
	NeedMany     Need = "many"     // a sandbox that runs more than one command
	NeedTerminal Need = "terminal" // a pseudo-terminal can be made
	NeedOracle   Need = "oracle"   // the target takes policies of caisson
	NeedFiles    Need = "files"    // descriptors beyond 0, 1 and 2 can be granted
	NeedDenials  Need = "denials"  // the target reports what it denied
)

// Case is one entry of the table. All fields but the body are for reading.
type Case struct {
	// ID is never renamed and never reused, for example "write-03".
	ID    string
	Title string
	// Guarantee is the one that a failure breaks; "" is a positive duty.
	Guarantee guarantee.ID
	// Clause is an anchor in docs/contract.md.
	Clause      string
	Requirement Requirement
	Needs       []Need
	// Meaning says what a failure means for a user.
	Meaning string
	// Seen says where the failure was met in the wild; "" is nowhere known.
	Seen string

	slow bool // it waits or works for long, so Config.Quick leaves it out
	once bool // it opens its own sandboxes, so one arm is enough
	// hostMay lets the host itself refuse the act: without a sandbox it does no
	// harm either, and the case is not applicable instead of an error.
	hostMay bool
	run     func(*T)
}

// Duty reports whether the case is a positive duty.
func (c Case) Duty() bool { return c.Guarantee == "" }

// slowCases take a second or more on an idle machine.
func slowCases() []string {
	return []string{"allow-02", "command-08", "command-09", "command-14", "command-15", "command-16", "device-01", "memory-01", "memory-02", "net-10", "oracle-01", "oracle-02", "oracle-03", "processes-01", "residue-07", "stream-09", "time-01", "time-02", "tree-06", "tree-07", "work-13", "write-31"}
}

// Cases returns the table, in the order of the contract, duties first.
func Cases() []Case {
	cases := slices.Concat(
		readDuties(), workspaceDuties(), streamDuties(), commandDuties(), terminalDuties(), lifecycleDuties(),
		writeCases(), metadataCases(), protectCases(), hideCases(), tmpCases(), deviceCases(),
		offlineCases(), allowlistCases(), unixCases(),
		untouchableCases(), hiddenProcessCases(), treeCases(), privilegeCases(), ipcCases(), terminalCases(),
		environmentCases(), descriptorCases(), kernelCases(), residueCases(), limitCases(), denialCases(),
		oracleCases(),
	)
	slow := slowCases()
	for i := range cases {
		cases[i].slow = slices.Contains(slow, cases[i].ID)
	}
	return cases
}

// Verdict is how one case ended.
type Verdict = report.Verdict

// The verdicts, as package report explains them.
const (
	Pass          = report.Pass
	Fail          = report.Fail
	Held          = report.Held
	NotHeld       = report.NotHeld
	NotApplicable = report.NotApplicable
	Error         = report.Error
	NotRun        = report.NotRun
)
