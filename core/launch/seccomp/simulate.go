// SPDX-License-Identifier: Apache-2.0

package seccomp

import "fmt"

// Call is a system call as a filter sees it.
type Call struct {
	Arch string // "amd64" or "arm64"; anything else is a foreign ABI
	Nr   uint32
	Args [6]uint64
}

// Verdict is what a filter answers. Action is "allow", "errno", "notify" or
// "kill"; Errno is the number of the error.
type Verdict struct {
	Action string
	Errno  int
}

// Simulate runs a program over a call, as the kernel would. An error means that
// the kernel would not accept the program.
func Simulate(program []Instruction, c Call) (Verdict, error) {
	var word uint32
	if a, ok := abiOf(c.Arch); ok {
		word = a.word
	}
	var acc uint32
	for at := 0; at < len(program); at++ {
		i := program[at]
		holds := false
		switch i.Code {
		case loadWord:
			switch n := i.K - offsetArgs; {
			case i.K == offsetNr:
				acc = c.Nr
			case i.K == offsetArch:
				acc = word
			case i.K >= offsetArgs && n < 48 && n%4 == 0:
				acc = uint32(c.Args[n/8] >> (n % 8 * 8))
			default:
				return Verdict{}, fmt.Errorf("seccomp: instruction %d loads from offset %d", at, i.K)
			}
			continue
		case andValue:
			acc &= i.K
			continue
		case jumpAlways:
			at += int(i.K)
			continue
		case returnValue:
			return verdictOf(i.K), nil
		case jumpEqual:
			holds = acc == i.K
		case jumpGreater:
			holds = acc > i.K
		case jumpAtLeast:
			holds = acc >= i.K
		case jumpAnySet:
			holds = acc&i.K != 0
		default:
			return Verdict{}, fmt.Errorf("seccomp: instruction %d has the unknown code %#x", at, i.Code)
		}
		if holds {
			at += int(i.JT)
		} else {
			at += int(i.JF)
		}
	}
	return Verdict{}, fmt.Errorf("seccomp: the program of %d instructions runs past its end", len(program))
}

func verdictOf(result uint32) Verdict {
	switch result {
	case retAllow:
		return Verdict{Action: "allow"}
	case retKill:
		return Verdict{Action: "kill"}
	case retNotify:
		return Verdict{Action: "notify"}
	}
	return Verdict{Action: "errno", Errno: int(result &^ retErrno)}
}

// String returns the action or, for "errno", the name of the error.
func (v Verdict) String() string {
	if v.Action == "errno" {
		return errnoName(v.Errno)
	}
	return v.Action
}
