// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"strings"
)

// Format returns a program for people, one numbered instruction a line. Call
// numbers are named as on arch.
func Format(program []Instruction, arch string) string {
	a, _ := abiOf(arch)
	var b strings.Builder
	loaded := "" // by the last load above; a jump never leads to where this is wrong
	for at, i := range program {
		fmt.Fprintf(&b, "%3d  %s", at, formatOne(i, at))
		if i.Code == loadWord {
			loaded = wordName(i.K)
		} else if i.Code != returnValue && i.Code != jumpAlways {
			if name := a.name(int(i.K)); loaded == "nr" && name != "" {
				fmt.Fprintf(&b, "  ; %s", name)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func formatOne(i Instruction, at int) string {
	yes, no := at+1+int(i.JT), at+1+int(i.JF)
	switch i.Code {
	case loadWord:
		return "load " + wordName(i.K)
	case andValue:
		return fmt.Sprintf("and %#x", i.K)
	case jumpAlways:
		return fmt.Sprintf("goto %d", at+1+int(i.K))
	case jumpEqual:
		return fmt.Sprintf("if == %s goto %d else %d", number(i.K), yes, no)
	case jumpGreater:
		return fmt.Sprintf("if > %d goto %d else %d", i.K, yes, no)
	case jumpAtLeast:
		return fmt.Sprintf("if >= %d goto %d else %d", i.K, yes, no)
	case jumpAnySet:
		return fmt.Sprintf("if any of %#x goto %d else %d", i.K, yes, no)
	case returnValue:
		return "return " + verdictOf(i.K).String()
	}
	return fmt.Sprintf("unknown code %#x", i.Code)
}

// number writes call numbers in decimal and what is large, as bits are, not.
func number(k uint32) string {
	if k < 0x1000 {
		return fmt.Sprint(k)
	}
	return fmt.Sprintf("%#x", k)
}

func wordName(offset uint32) string {
	switch {
	case offset == offsetNr:
		return "nr"
	case offset == offsetArch:
		return "arch"
	case (offset-offsetArgs)%8 == 0:
		return fmt.Sprintf("arg%d low", (offset-offsetArgs)/8)
	}
	return fmt.Sprintf("arg%d high", (offset-offsetArgs)/8)
}

func errnoName(n int) string {
	for name, number := range errnos {
		if int(number) == n {
			return name
		}
	}
	return fmt.Sprintf("errno %d", n)
}
