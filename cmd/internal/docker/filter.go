// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	caisson "github.com/caisson-sandbox/caisson/core/launch/seccomp"
)

// Offsets in struct seccomp_data, and the words of its architectures, see
// seccomp(2).
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// program is a filter as it grows, first instruction first.
type program []unix.SockFilter

func (p *program) put(code uint16, k uint32, jt, jf uint8) {
	*p = append(*p, unix.SockFilter{Code: code, K: k, Jt: jt, Jf: jf})
}

const (
	load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	mask    = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	equal   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	greater = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	atLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	always  = unix.BPF_JMP | unix.BPF_JA
	give    = unix.BPF_RET | unix.BPF_K
)

// compile turns a profile into a filter as a container's runtime does: one
// rule that fits decides, else the default; a call newer than any that the
// profile names is ENOSYS. Programs of 32 bits, which a container may run, are
// refused, since nothing here is one.
func compile(profile *specs.LinuxSeccomp, arch string) ([]unix.SockFilter, error) {
	words := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}
	word, ok := words[arch]
	if !ok {
		return nil, fmt.Errorf("no filter for %s", arch)
	}
	fallback, err := verdict(profile.DefaultAction, profile.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	rules := map[int][]specs.LinuxSyscall{}
	for _, s := range profile.Syscalls {
		for _, name := range s.Names {
			if nr, ok := caisson.Number(name, arch); ok {
				rules[nr] = append(rules[nr], s)
			}
		}
	}
	var p program
	p.put(load, offsetArch, 0, 0)
	p.put(equal, word, 1, 0)
	p.put(give, fallback, 0, 0)
	for _, nr := range slices.Sorted(maps.Keys(rules)) {
		block, err := decide(rules[nr], fallback)
		if err != nil {
			return nil, err
		}
		p.put(load, offsetNumber, 0, 0)
		p.put(equal, uint32(nr), 1, 0)
		p.put(always, uint32(len(block)), 0, 0)
		p = append(p, block...)
	}
	newest := slices.Max(slices.Collect(maps.Keys(rules)))
	p.put(load, offsetNumber, 0, 0)
	p.put(greater, uint32(newest), 0, 1)
	p.put(give, uint32(unix.SECCOMP_RET_ERRNO)|uint32(unix.ENOSYS), 0, 0)
	p.put(give, fallback, 0, 0)
	if len(p) > unix.BPF_MAXINSNS {
		return nil, fmt.Errorf("the filter has %d instructions", len(p))
	}
	return p, nil
}

// decide is what happens to one call: an unconditional rule alone decides, else
// the first whose conditions all hold.
func decide(rules []specs.LinuxSyscall, fallback uint32) (program, error) {
	var p program
	for _, r := range rules {
		result, err := verdict(r.Action, r.ErrnoRet)
		if err != nil {
			return nil, err
		}
		if len(r.Args) == 0 {
			return program{{Code: give, K: result}}, nil
		}
		var rest program
		rest.put(give, result, 0, 0)
		for _, arg := range slices.Backward(r.Args) {
			rest, err = condition(arg, rest)
			if err != nil {
				return nil, err
			}
		}
		p = append(p, rest...)
	}
	p.put(give, fallback, 0, 0)
	return p, nil
}

// condition puts a comparison of an argument before what happens where it
// holds; where it does not, that is jumped over.
func condition(arg specs.LinuxSeccompArg, then program) (program, error) {
	low, high := uint32(arg.Value), uint32(arg.Value>>32)
	at := uint32(offsetArgs + 8*arg.Index)
	over := uint8(len(then))
	if len(then) > 200 {
		return nil, fmt.Errorf("a rule is too long")
	}
	var p program
	switch arg.Op {
	case specs.OpEqualTo:
		p.put(load, at+4, 0, 0)
		p.put(equal, high, 0, 2+over)
		p.put(load, at, 0, 0)
		p.put(equal, low, 0, over)
	case specs.OpNotEqual:
		p.put(load, at+4, 0, 0)
		p.put(equal, high, 0, 2)
		p.put(load, at, 0, 0)
		p.put(equal, low, over, 0)
	case specs.OpMaskedEqual: // Value is the mask, ValueTwo what is left of it
		p.put(load, at+4, 0, 0)
		p.put(mask, high, 0, 0)
		p.put(equal, uint32(arg.ValueTwo>>32), 0, 3+over)
		p.put(load, at, 0, 0)
		p.put(mask, low, 0, 0)
		p.put(equal, uint32(arg.ValueTwo), 0, over)
	case specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpLessThan, specs.OpLessEqual:
		compare := uint16(greater)
		if arg.Op == specs.OpGreaterEqual || arg.Op == specs.OpLessThan {
			compare = atLeast
		}
		// The comparison holds at yes, and not at no.
		yes, no := uint8(0), over
		if arg.Op == specs.OpLessThan || arg.Op == specs.OpLessEqual {
			yes, no = no, yes
		}
		p.put(load, at+4, 0, 0)
		p.put(greater, high, 3+yes, 0)
		p.put(equal, high, 0, 2+no)
		p.put(load, at, 0, 0)
		p.put(compare, low, yes, no)
	default:
		return nil, fmt.Errorf("an unknown comparison, %s", arg.Op)
	}
	return append(p, then...), nil
}

// verdict is the value that a filter returns for an action.
func verdict(action specs.LinuxSeccompAction, errno *uint) (uint32, error) {
	switch action {
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActErrno:
		n := uint32(unix.EPERM)
		if errno != nil {
			n = uint32(*errno)
		}
		return unix.SECCOMP_RET_ERRNO | n, nil
	}
	return 0, fmt.Errorf("an unknown action, %s", action)
}
