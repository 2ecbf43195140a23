// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"testing"

	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
)

// TestFilter asks a simulator of the kernel what the filter answers.
func TestFilter(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"amd64", "arm64"} {
		raw := filter(arch)
		var code []seccomp.Instruction
		for ; len(raw) >= 8; raw = raw[8:] {
			code = append(code, seccomp.Instruction{Code: binary.LittleEndian.Uint16(raw), JT: raw[2], JF: raw[3], K: binary.LittleEndian.Uint32(raw[4:])})
		}
		if len(raw) != 0 || len(code) > 4096 {
			t.Fatalf("%s: %d instructions and %d bytes", arch, len(code), len(raw))
		}
		numbers := syscalls(arch)
		for _, c := range []struct {
			name string
			args []uint64
			want int // 0: allowed
		}{
			{"mount", nil, eperm}, {"setns", nil, eperm}, {"bpf", nil, eperm}, {"clone3", nil, enosys}, {"io_uring_setup", nil, enosys},
			{"keyctl", nil, enosys}, {"kexec_load", nil, eperm}, {"process_vm_readv", nil, enosys}, {"open_tree_attr", nil, enosys},
			{"clone", []uint64{17}, 0}, {"clone", []uint64{0x10000000 | 17}, eperm}, {"clone", []uint64{0x00020000}, eperm},
			{"unshare", []uint64{0x200}, 0}, {"unshare", []uint64{0x10000000}, eperm},
			{"ioctl", []uint64{0, 0x5412}, eperm}, {"ioctl", []uint64{0, 1<<32 | 0x5412}, eperm}, {"ioctl", []uint64{0, 0x541c}, eperm},
			{"ioctl", []uint64{0, 0x5423}, eperm}, {"ioctl", []uint64{0, 0x5413}, 0},
			{"socket", []uint64{1, 1}, eacces}, {"socket", []uint64{1 | 1<<40, 1}, eacces}, {"socket", []uint64{2, 1}, 0}, {"socket", []uint64{10, 2}, 0},
			{"socket", []uint64{16, 3}, 0}, {"socket", []uint64{16, 3, 15}, eprotonosupport}, {"socket", []uint64{2, 1, 6}, 0}, {"socket", []uint64{40, 1}, eafnosupport}, {"socket", []uint64{17, 3}, eafnosupport},
			{"socketpair", []uint64{1, 1}, 0}, {"socketpair", []uint64{1, 5 | 0o2000000}, 0}, {"socketpair", []uint64{1, 2}, eprotonosupport},
			{"fchmod", []uint64{3, 0o755}, 0}, {"fchmod", []uint64{3, 0o4755}, eperm}, {"fchmodat", []uint64{3, 0, 0o2755}, eperm}, {"fchmodat2", []uint64{3, 0, 0o755}, 0},
			{"openat", []uint64{0, 0, 0, 0o4755}, 0}, {"openat", []uint64{0, 0, 0o101, 0o644}, 0}, {"openat", []uint64{0, 0, 0o101, 0o4755}, eperm},
			{"mknodat", []uint64{0, 0, 0o104755}, eperm},
			{"open", []uint64{0, 0o101, 0o4755}, eperm}, {"creat", []uint64{0, 0o4755}, eperm}, {"chmod", []uint64{0, 0o755}, 0}, {"modify_ldt", nil, eperm},
		} {
			nr, ok := numbers[c.name]
			if !ok {
				if arch == "amd64" {
					t.Errorf("%s has no %s", arch, c.name)
				}
				continue
			}
			call := seccomp.Call{Arch: arch, Nr: nr}
			copy(call.Args[:], c.args)
			v, err := seccomp.Simulate(code, call)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.Errno; (v.Action == "allow") != (c.want == 0) || got != c.want {
				t.Errorf("%s: %s%o: %v, want %d", arch, c.name, c.args, v, c.want)
			}
		}
		for what, call := range map[string]seccomp.Call{"another architecture": {Arch: "386", Nr: 1}, "x32": {Arch: arch, Nr: 0x40000000 | 1}} {
			if v, err := seccomp.Simulate(code, call); err != nil || v.Errno != enosys {
				t.Errorf("%s: %s: %v, %v", arch, what, v, err)
			}
		}
		if v, err := seccomp.Simulate(code, seccomp.Call{Arch: arch, Nr: 0}); err != nil || v.Action != "allow" {
			t.Errorf("%s: an ordinary call: %v, %v", arch, v, err)
		}
	}
	if filter("riscv64") != nil {
		t.Error("a filter for an architecture that is not known")
	}
}

// TestRulesAreKnown: a misspelt call would refuse nothing.
func TestRulesAreKnown(t *testing.T) {
	t.Parallel()
	numbers := syscalls("amd64")
	for _, r := range rules() {
		for _, name := range r.calls {
			if _, ok := numbers[name]; !ok {
				t.Errorf("%s has no number", name)
			}
		}
	}
}
