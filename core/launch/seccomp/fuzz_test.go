// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"testing"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// FuzzCompile makes rules of the bytes and compares the program with a direct
// reading of the rules, on calls near what the rules speak of.
func FuzzCompile(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04"))
	f.Add([]byte("several rules on one call, with conditions on one argument and its masks"))
	f.Add([]byte{0, 1, 2, 0xff, 0xfe, 0x80, 0x40, 0, 0, 0, 1, 1, 1, 3, 3, 3, 7, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func() int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b)
		}
		arch := []string{"amd64", "arm64"}[next()%2]
		a, _ := abiOf(arch)
		// few values, so that rules meet
		values := []uint64{0, 1, 2, 3, 0xf, 0xffffffff, ^uint64(0), 0xffffffff00000000, 0x100000000, 0x100000001, 0x1200, 0x8000000000000000}
		s := plan.Seccomp{Newest: 100 + next()}
		for len(data) > 0 && len(s.Rules) < 40 {
			r := plan.SeccompRule{Action: []string{"errno", "kill", "notify"}[next()%3]}
			if r.Action == "errno" {
				r.Errno = []string{"EPERM", "ENOSYS", "EINVAL"}[next()%3]
			}
			for range 1 + next()%4 {
				r.Calls = append(r.Calls, a.calls[next()%60].name)
			}
			for range next() % 4 {
				r.When = append(r.When, plan.SeccompCondition{
					Arg: next() % 3, Mask: values[next()%len(values)], Op: []string{"==", "!="}[next()%2], Value: values[next()%len(values)],
				})
			}
			s.Rules = append(s.Rules, r)
		}
		program, err := Compile(s, arch)
		if err != nil {
			t.Fatal(err)
		}
		var numbers []uint32
		for _, r := range s.Rules {
			for _, name := range r.Calls {
				nr, _ := Number(name, arch)
				numbers = append(numbers, uint32(nr), uint32(nr)+1)
			}
		}
		numbers = append(numbers, uint32(s.Newest), uint32(s.Newest)+1, x32Bit, ^uint32(0))
		for i, nr := range numbers {
			for j := range values {
				compare(t, s, program, Call{Arch: arch, Nr: nr, Args: [6]uint64{
					values[j], values[(j+i)%len(values)], values[(i*7+j*5)%len(values)],
				}})
			}
		}
	})
}
