// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"math/bits"
	"slices"
)

// Codes of the instructions that filters are made of, see bpf(4).
const (
	loadWord    = 0x20 // A = word of struct seccomp_data at K
	andValue    = 0x54 // A &= K
	jumpAlways  = 0x05
	jumpEqual   = 0x15 // A == K
	jumpGreater = 0x25 // A > K
	jumpAtLeast = 0x35 // A >= K
	jumpAnySet  = 0x45 // A & K != 0
	returnValue = 0x06
)

// assembler makes a program from its end, since jumps go only forward: what a
// jump leads to is always there already.
type assembler struct {
	reversed []Instruction
	returns  map[uint32]label // the nearest return of each value
}

// label is an instruction, counted from the end of the program; 0 is none.
type label int

// target is where a jump leads: an instruction or, without one, a return.
type target struct {
	at     label
	result uint32
}

func at(l label) target            { return target{at: l} }
func returns(result uint32) target { return target{result: result} }

// front is the label of the instruction that was added last.
func (asm *assembler) front() label { return label(len(asm.reversed)) }

func (asm *assembler) add(i Instruction) label {
	asm.reversed = append(asm.reversed, i)
	return asm.front()
}

func (asm *assembler) load(offset uint32) { asm.add(Instruction{Code: loadWord, K: offset}) }

// jump adds a comparison of the accumulator with k. The offsets of a jump have
// eight bits; what is further away is reached by an instruction in between.
func (asm *assembler) jump(code uint16, k uint32, yes, no target) label {
	to, from := asm.near(yes), asm.near(no)
	for asm.far(to) || asm.far(from) { // reaching one may have moved the other away
		to, from = asm.near(at(to)), asm.near(at(from))
	}
	return asm.add(Instruction{Code: code, JT: asm.distance(to), JF: asm.distance(from), K: k})
}

func (asm *assembler) far(l label) bool       { return asm.front()-l > 255 }
func (asm *assembler) distance(l label) uint8 { return uint8(asm.front() - l) }
func (asm *assembler) skip(l label) Instruction {
	return Instruction{Code: jumpAlways, K: uint32(asm.front() - l)}
}

// near returns a label in reach that leads to t.
func (asm *assembler) near(t target) label {
	if t.at != 0 {
		if asm.far(t.at) {
			return asm.add(asm.skip(t.at))
		}
		return t.at
	}
	if l, ok := asm.returns[t.result]; ok && !asm.far(l) {
		return l
	}
	if asm.returns == nil {
		asm.returns = map[uint32]label{}
	}
	l := asm.add(Instruction{Code: returnValue, K: t.result})
	asm.returns[t.result] = l
	return l
}

// test is one comparison of a block.
type test struct {
	part
	yes, no *test
	result  uint32 // of a leaf, whose offset is 0
}

func (t *test) leaf() bool { return t.offset == 0 }

// block assembles the rules with the given indices, the first that holds
// deciding, and returns its start. The result is otherwise where none holds.
func (asm *assembler) block(rules []rule, list []int, otherwise uint32) target {
	var tests []*test // last first
	start := &test{result: otherwise}
	for _, i := range slices.Backward(list) {
		failed := start
		start = &test{result: rules[i].result}
		for _, h := range slices.Backward(rules[i].when) {
			agree, differ := start, failed
			if h.differ {
				agree, differ = failed, start
			}
			for _, p := range slices.Backward(h.parts) {
				agree = &test{part: p, yes: agree, no: differ}
				tests = append(tests, agree)
			}
			start = agree
		}
		if len(rules[i].when) == 0 { // what follows is never reached
			tests = tests[:0]
		}
	}

	labels := map[*test]target{}
	to := func(t *test) target {
		if t.leaf() {
			return returns(t.result)
		}
		return labels[t]
	}
	for i, t := range tests {
		load, and := needed(t, tests[i+1:])
		var l label
		switch {
		case !t.bitTest():
			l = asm.jump(jumpEqual, t.value, to(t.yes), to(t.no))
		case t.value == 0:
			l = asm.jump(jumpAnySet, t.mask, to(t.no), to(t.yes))
		default:
			l = asm.jump(jumpAnySet, t.mask, to(t.yes), to(t.no))
		}
		if and {
			l = asm.add(Instruction{Code: andValue, K: t.mask})
		}
		if load {
			asm.load(t.offset)
			l = asm.front()
		}
		labels[t] = at(l)
	}
	return labels[start]
}

// bitTest reports whether one instruction can do masking and comparison.
func (p part) bitTest() bool {
	return p.mask != 0xffffffff && (p.value == 0 || p.value == p.mask && bits.OnesCount32(p.mask) == 1)
}

// masked is the mask that the accumulator has been reduced by at the jump of p.
func (p part) masked() uint32 {
	if p.bitTest() {
		return 0xffffffff
	}
	return p.mask
}

// needed says whether t must load and mask its word, or finds it in the
// accumulator, whichever of the earlier tests of the block led to it.
func needed(t *test, earlier []*test) (load, and bool) {
	want := t.masked()
	and = want != 0xffffffff
	reached, same, raw := false, true, true
	for _, p := range earlier {
		if p.yes != t && p.no != t {
			continue
		}
		reached = true
		same = same && p.offset == t.offset && p.masked() == want
		raw = raw && p.offset == t.offset && p.masked() == 0xffffffff
	}
	switch {
	case reached && same:
		return false, false
	case reached && raw:
		return false, and
	}
	return true, and
}
