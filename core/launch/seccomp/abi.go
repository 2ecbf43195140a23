// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"
	"strings"
)

//go:generate go run ./internal/gentables

// call is one line of a system call table.
type call struct {
	name string
	nr   int
}

// abi is the system call interface of an architecture.
type abi struct {
	word  uint32 // AUDIT_ARCH_*, what the kernel shows to the filter
	calls []call // sorted by name
}

func abiOf(arch string) (abi, bool) {
	switch arch {
	case "amd64":
		return abi{0xc000003e, callsAMD64[:]}, true
	case "arm64":
		return abi{0xc00000b7, callsARM64[:]}, true
	}
	return abi{}, false
}

func (a abi) number(name string) (int, bool) {
	i, ok := slices.BinarySearchFunc(a.calls, name, func(c call, n string) int { return strings.Compare(c.name, n) })
	if !ok {
		return 0, false
	}
	return a.calls[i].nr, true
}

func (a abi) name(nr int) string {
	for _, c := range a.calls {
		if c.nr == nr {
			return c.name
		}
	}
	return ""
}

// Number returns the number of a system call on an architecture, "amd64" or
// "arm64". It is false where that architecture has no such call.
func Number(name, arch string) (int, bool) {
	a, ok := abiOf(arch)
	if !ok {
		return 0, false
	}
	return a.number(name)
}

// KnownCall reports whether some architecture has a system call of that name.
func KnownCall(name string) bool {
	for _, arch := range []string{"amd64", "arm64"} {
		if _, ok := Number(name, arch); ok {
			return true
		}
	}
	return false
}
