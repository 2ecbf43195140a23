// SPDX-License-Identifier: Apache-2.0

// Package seccomp turns the system call rules of a plan into a filter program
// for the Linux kernel, and programs into text. It is pure: it runs on every
// system and installs nothing; core/launch does.
//
// Start with Compile. A filter is a program of classic BPF (struct sock_filter
// of bpf(4)) that the kernel runs at every system call, over the architecture,
// the number and the six arguments of the call; it sees registers only, never
// what they point to. A call whose verdict depends on its number alone costs
// nothing afterwards where it is allowed: the kernel keeps those in a bitmap
// since 5.11. To fill it, it runs the program over every number when a filter is
// installed, at the start of each command; for this reason numbers are looked up
// by halving.
package seccomp

import (
	"fmt"
	"math"
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
	asm.lookup(partition(table, s.Newest))
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
	nr int
	to target
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
	for nr := range byNumber {
		table = append(table, entry{nr: nr})
	}
	slices.SortFunc(table, func(x, y entry) int { return x.nr - y.nr })
	for i := range table {
		e := &table[i]
		list := byNumber[e.nr]
		if len(rules[list[0]].when) == 0 {
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

// span are the call numbers from one on, to that of the next span.
type span struct {
	first int
	to    target
}

// partition divides all numbers into spans that lead elsewhere than their
// neighbours: by the table, and what is not in it by the newest call.
func partition(table []entry, newest int) []span {
	spans := []span{{0, returns(retAllow)}}
	to := func(nr int, to target) {
		last := &spans[len(spans)-1]
		switch {
		case last.first == nr:
			last.to = to
		case last.to != to:
			spans = append(spans, span{nr, to})
		}
	}
	next := 0 // the first number that was not looked at
	others := func(end int) {
		if next < end && next <= newest {
			to(next, returns(retAllow))
		}
		if beyond := max(next, newest+1); beyond < end {
			to(beyond, returns(newer))
		}
	}
	for _, e := range table {
		others(e.nr)
		to(e.nr, e.to)
		next = e.nr + 1
	}
	others(math.MaxInt)
	return spans
}

// lookup assembles the comparisons of the call number, each of which halves the
// spans that are left.
func (asm *assembler) lookup(spans []span) {
	if start := asm.search(spans); start != at(asm.front()) {
		asm.add(asm.skip(asm.near(start)))
	}
}

func (asm *assembler) search(spans []span) target {
	half := len(spans) / 2
	if half == 0 {
		return spans[0].to
	}
	above := asm.search(spans[half:])
	below := asm.search(spans[:half])
	return at(asm.jump(jumpAtLeast, uint32(spans[half].first), above, below))
}
