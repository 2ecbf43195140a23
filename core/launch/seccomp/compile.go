// SPDX-License-Identifier: Apache-2.0

// Package seccomp turns the system call rules of a plan into a filter program
// for the Linux kernel, and programs into text. It is pure: it runs on every
// system and installs nothing; core/launch does.
//
// Start with Compile. A filter is a program of classic BPF (struct sock_filter
// of bpf(4)) that the kernel runs at every system call, over the architecture,
// the number and the six arguments of the call; it sees registers only, never
// what they point to. Installing costs about a microsecond per instruction, so
// Compile looks for short programs. A call whose verdict depends on its number
// alone costs nothing afterwards where it is allowed (the kernel keeps those in
// a bitmap since 5.11); for this reason calls whose arguments matter are
// looked up first.
package seccomp

import (
	"fmt"
	"slices"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// Instruction is struct sock_filter of bpf(4).
type Instruction struct {
	Code   uint16
	JT, JF uint8 // instructions to skip where the comparison holds, where not
	K      uint32
}

// Offsets in struct seccomp_data. Both architectures are little-endian, so the
// lower half of an argument comes first.
const (
	offsetNr   = 0
	offsetArch = 4
	offsetArgs = 16
)

// Return values of a filter, see seccomp(2).
const (
	retKill   = 0x80000000 // SECCOMP_RET_KILL_PROCESS
	retErrno  = 0x00050000
	retNotify = 0x7fc00000
	retAllow  = 0x7fff0000

	newer = retErrno | 38 // ENOSYS, for calls beyond Newest
)

// maxInstructions is BPF_MAXINSNS.
const maxInstructions = 4096

// x32Bit marks the numbers of the x32 ABI of amd64. As they are greater than
// any Newest, they are ENOSYS, as on a kernel without that ABI.
const x32Bit = 0x40000000

// Compile returns the filter of the rules for an architecture, "amd64" or
// "arm64", as in GOARCH. Equal rules give equal programs. A call of another
// architecture (a 32-bit program) kills the process: with an errno instead, the
// exit calls of such a program would fail too and some C libraries try them for
// ever.
func Compile(s plan.Seccomp, arch string) ([]Instruction, error) {
	a, ok := abiOf(arch)
	if !ok {
		return nil, fmt.Errorf("seccomp: no system call table for architecture %q", arch)
	}
	if s.Newest <= 0 || s.Newest >= x32Bit {
		return nil, fmt.Errorf("seccomp: newest system call %d is out of range", s.Newest)
	}
	rules, err := simplify(s.Rules)
	if err != nil {
		return nil, err
	}
	var asm assembler
	table, err := assign(&asm, s, rules, a)
	if err != nil {
		return nil, err
	}

	// The program is assembled from its end.
	next := asm.jump(jumpGreater, uint32(s.Newest), returns(newer), returns(retAllow))
	next = asm.lookup(table, false, next)
	asm.lookup(table, true, next)
	asm.load(offsetNr)
	asm.jump(jumpEqual, a.word, at(asm.front()), returns(retKill))
	asm.load(offsetArch)
	if len(asm.reversed) > maxInstructions {
		return nil, fmt.Errorf("seccomp: the filter has %d instructions, more than the kernel's %d", len(asm.reversed), maxInstructions)
	}
	slices.Reverse(asm.reversed)
	return asm.reversed, nil
}

// entry is where the look-up of one call number leads.
type entry struct {
	nr          int
	conditional bool
	to          target
}

// assign assembles the blocks of the calls whose arguments matter and returns
// the look-up table of all calls that rules name, sorted by number. Calls with
// the same rules share a block.
func assign(asm *assembler, s plan.Seccomp, rules []rule, a abi) ([]entry, error) {
	byNumber := map[int][]int{}
	for i, r := range s.Rules {
		for _, name := range r.Calls {
			if !KnownCall(name) {
				return nil, fmt.Errorf("seccomp: unknown system call %q", name)
			}
			nr, ok := a.number(name)
			if ok && !rules[i].never {
				byNumber[nr] = append(byNumber[nr], i)
			}
		}
	}
	blocks := map[string]target{}
	var table []entry
	for nr, list := range byNumber {
		table = append(table, entry{nr: nr, conditional: len(rules[list[0]].when) > 0})
	}
	slices.SortFunc(table, func(x, y entry) int { return x.nr - y.nr })
	for i := range table {
		e := &table[i]
		list := byNumber[e.nr]
		if !e.conditional {
			e.to = returns(rules[list[0]].result)
			continue
		}
		otherwise := uint32(retAllow)
		if e.nr > s.Newest {
			otherwise = newer
		}
		key := fmt.Sprint(list, otherwise)
		if _, ok := blocks[key]; !ok {
			blocks[key] = asm.block(rules, list, otherwise)
		}
		e.to = blocks[key]
	}
	return table, nil
}

// lookup assembles the comparisons of the call number with the conditional or
// with the other entries of the table; what matches none goes to next. Numbers
// of conditional entries count as belonging to any span of others: they never
// get there.
func (asm *assembler) lookup(table []entry, conditional bool, next label) label {
	type span struct {
		first, last int
		beyond      int // the first number that cannot be joined
		to          target
	}
	var spans []span
	for _, e := range table {
		n := len(spans) - 1
		joins := n >= 0 && spans[n].beyond == e.nr
		switch {
		case e.conditional && !conditional:
			if joins {
				spans[n].beyond++
			}
		case e.conditional != conditional:
		case joins && spans[n].to == e.to:
			spans[n].last, spans[n].beyond = e.nr, e.nr+1
		default:
			spans = append(spans, span{e.nr, e.nr, e.nr + 1, e.to})
		}
	}
	for _, s := range slices.Backward(spans) {
		if s.first == s.last {
			next = asm.jump(jumpEqual, uint32(s.first), s.to, at(next))
			continue
		}
		within := asm.jump(jumpGreater, uint32(s.last), at(next), s.to)
		next = asm.jump(jumpAtLeast, uint32(s.first), at(within), at(next))
	}
	return next
}
