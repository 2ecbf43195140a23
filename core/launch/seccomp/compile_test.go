// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/plan"
)

var update = flag.Bool("update", false, "write the golden files")

// sample has every kind of rule: alone, in ranges, with one and both halves of
// an argument, several rules of one call, calls that only amd64 has.
func sample() plan.Seccomp {
	cond := func(arg int, mask uint64, op string, value uint64) plan.SeccompCondition {
		return plan.SeccompCondition{Arg: arg, Mask: mask, Op: op, Value: value}
	}
	return plan.Seccomp{Newest: 471, Rules: []plan.SeccompRule{
		{Calls: []string{"io_uring_setup", "io_uring_enter", "io_uring_register"}, Action: "errno", Errno: "ENOSYS"},
		{Calls: []string{"reboot", "swapon", "swapoff", "ptrace"}, Action: "errno", Errno: "EPERM"},
		{Calls: []string{"clone"}, Action: "errno", Errno: "EPERM", When: []plan.SeccompCondition{cond(0, 0x7e020000, "!=", 0)}},
		{Calls: []string{"ioctl"}, Action: "errno", Errno: "EPERM", When: []plan.SeccompCondition{cond(1, 0xffffffff, "==", 0x5412)}},
		{Calls: []string{"ioctl"}, Action: "kill", When: []plan.SeccompCondition{cond(1, 0xffffffff, "==", 0x541c)}},
		{Calls: []string{"socket"}, Action: "errno", Errno: "EAFNOSUPPORT", When: []plan.SeccompCondition{cond(0, 0xffffffff, "!=", 1), cond(0, 0xffffffff, "!=", 2)}},
		{Calls: []string{"socket"}, Action: "errno", Errno: "EPROTONOSUPPORT", When: []plan.SeccompCondition{cond(0, 0xffffffff, "==", 1), cond(1, 0xf, "!=", 1), cond(1, 0xf, "!=", 5)}},
		{Calls: []string{"mmap"}, Action: "errno", Errno: "EINVAL", When: []plan.SeccompCondition{cond(5, ^uint64(0), "!=", 0x1234567800000000), cond(3, 2, "==", 2)}},
		{Calls: []string{"chmod", "fchmod", "creat"}, Action: "errno", Errno: "EPERM", When: []plan.SeccompCondition{cond(1, 0o4000, "==", 0o4000)}},
		{Calls: []string{"connect"}, Action: "notify"},
	}}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"amd64", "arm64"} {
		program, err := Compile(sample(), arch)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Compile(sample(), arch)
		if err != nil || !reflect.DeepEqual(program, again) {
			t.Errorf("%s: two compilations differ (%v)", arch, err)
		}
		got := Format(program, arch)
		file := filepath.Join("testdata", "sample-"+arch+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s:\n%s", arch, file, got)
		}
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	const garbage = 0xdeadbeef00000000
	for _, test := range []struct {
		name, arch, call string
		nr               uint32 // where call is empty
		args             [6]uint64
		want             Verdict
	}{
		{"no rule", "amd64", "read", 0, [6]uint64{}, Verdict{"allow", 0}},
		{"start of a range", "arm64", "io_uring_setup", 0, [6]uint64{}, Verdict{"errno", 38}},
		{"end of a range", "arm64", "io_uring_register", 0, [6]uint64{}, Verdict{"errno", 38}},
		{"after a range", "arm64", "", 428, [6]uint64{}, Verdict{"allow", 0}},
		{"notify", "amd64", "connect", 0, [6]uint64{}, Verdict{"notify", 0}},
		{"last known", "amd64", "", 471, [6]uint64{}, Verdict{"allow", 0}},
		{"newer", "amd64", "", 472, [6]uint64{}, Verdict{"errno", 38}},
		{"x32 read", "amd64", "", 0x40000000, [6]uint64{}, Verdict{"errno", 38}},
		{"x32 socket", "amd64", "", 0x40000029, [6]uint64{9}, Verdict{"errno", 38}},
		{"number -1", "arm64", "", 0xffffffff, [6]uint64{}, Verdict{"errno", 38}},
		{"foreign ABI", "386", "", 1, [6]uint64{}, Verdict{"kill", 0}},
		{"plain clone", "amd64", "clone", 0, [6]uint64{garbage | 0x1200011}, Verdict{"allow", 0}},
		{"new user namespace", "amd64", "clone", 0, [6]uint64{0x10000011}, Verdict{"errno", 1}},
		{"TIOCSTI", "arm64", "ioctl", 0, [6]uint64{0, 0x5412}, Verdict{"errno", 1}},
		{"TIOCSTI with garbage", "arm64", "ioctl", 0, [6]uint64{0, garbage | 0x5412}, Verdict{"errno", 1}},
		{"second rule", "amd64", "ioctl", 0, [6]uint64{0, garbage | 0x541c}, Verdict{"kill", 0}},
		{"other request", "amd64", "ioctl", 0, [6]uint64{0, 0x5413}, Verdict{"allow", 0}},
		{"other family", "amd64", "socket", 0, [6]uint64{garbage | 40, 1}, Verdict{"errno", 97}},
		{"unix stream", "amd64", "socket", 0, [6]uint64{garbage | 1, garbage | 0x80801}, Verdict{"allow", 0}},
		{"unix datagram", "amd64", "socket", 0, [6]uint64{1, 0x80802}, Verdict{"errno", 93}},
		{"inet datagram", "amd64", "socket", 0, [6]uint64{2, 2}, Verdict{"allow", 0}},
		{"64 bits agree", "amd64", "mmap", 0, [6]uint64{3: 2, 5: 0x1234567800000000}, Verdict{"allow", 0}},
		{"low half differs", "amd64", "mmap", 0, [6]uint64{3: 2, 5: 0x1234567800000001}, Verdict{"errno", 22}},
		{"high half differs", "amd64", "mmap", 0, [6]uint64{3: 2, 5: 0x1234567900000000}, Verdict{"errno", 22}},
		{"second condition fails", "amd64", "mmap", 0, [6]uint64{3: 4}, Verdict{"allow", 0}},
		{"setuid", "amd64", "chmod", 0, [6]uint64{1: 0o4755}, Verdict{"errno", 1}},
		{"no setuid", "amd64", "chmod", 0, [6]uint64{1: 0o2755}, Verdict{"allow", 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := Call{Arch: test.arch, Nr: test.nr, Args: test.args}
			if test.call != "" {
				nr, ok := Number(test.call, test.arch)
				if !ok {
					t.Fatalf("no call %s", test.call)
				}
				c.Nr = uint32(nr)
			}
			arch := test.arch
			if arch == "386" {
				arch = "amd64"
			}
			program, err := Compile(sample(), arch)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Simulate(program, c); err != nil || got != test.want {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	one := func(r plan.SeccompRule) plan.Seccomp { return plan.Seccomp{Newest: 471, Rules: []plan.SeccompRule{r}} }
	deny := func(when ...plan.SeccompCondition) plan.Seccomp {
		return one(plan.SeccompRule{Calls: []string{"read"}, Action: "kill", When: when})
	}
	for _, test := range []struct {
		arch string
		in   plan.Seccomp
		want string
	}{
		{"386", sample(), `no system call table for architecture "386"`},
		{"amd64", plan.Seccomp{}, "newest system call 0"},
		{"amd64", plan.Seccomp{Newest: 0x40000000}, "newest system call 1073741824"},
		{"amd64", one(plan.SeccompRule{Calls: []string{"raed"}, Action: "kill"}), `unknown system call "raed"`},
		{"amd64", one(plan.SeccompRule{Calls: []string{"read"}, Action: "allow"}), `unknown action "allow"`},
		{"amd64", one(plan.SeccompRule{Calls: []string{"read"}, Action: "errno", Errno: "EPRM"}), `unknown errno "EPRM"`},
		{"amd64", deny(plan.SeccompCondition{Arg: 6, Op: "=="}), "no argument 6"},
		{"amd64", deny(plan.SeccompCondition{Op: "<"}), `unknown comparison "<"`},
	} {
		if _, err := Compile(test.in, test.arch); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// TestFarJumps compiles more than fits the eight bits of a jump's offset.
func TestFarJumps(t *testing.T) {
	t.Parallel()
	var s plan.Seccomp
	s.Newest = 471
	a, _ := abiOf("amd64")
	for i, c := range a.calls {
		s.Rules = append(s.Rules, plan.SeccompRule{Calls: []string{c.name}, Action: "errno", Errno: "EPERM",
			When: []plan.SeccompCondition{{Arg: i % 6, Mask: ^uint64(0), Op: "==", Value: uint64(i)<<32 | 7}}})
	}
	program, err := Compile(s, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range a.calls {
		for _, hit := range []bool{true, false} {
			in := Call{Arch: "amd64", Nr: uint32(c.nr)}
			in.Args[i%6] = uint64(i)<<32 | 7
			if !hit {
				in.Args[i%6] ^= 1 << (i % 64)
			}
			compare(t, s, program, in)
		}
	}
}

// compare holds a program against the rules as they are written.
func compare(t *testing.T, s plan.Seccomp, program []Instruction, c Call) {
	t.Helper()
	got, err := Simulate(program, c)
	if want := decide(s, c); err != nil || got != want {
		t.Fatalf("call %+v: got %v, %v; want %v\n%+v\n%s", c, got, err, want, s, Format(program, c.Arch))
	}
}

func decide(s plan.Seccomp, c Call) Verdict {
	for _, r := range s.Rules {
		for _, name := range r.Calls {
			nr, ok := Number(name, c.Arch)
			if !ok || uint32(nr) != c.Nr {
				continue
			}
			holds := true
			for _, w := range r.When {
				holds = holds && (c.Args[w.Arg]&w.Mask == w.Value) == (w.Op == "==")
			}
			if holds {
				return Verdict{r.Action, int(errnos[r.Errno])}
			}
		}
	}
	if c.Nr > uint32(s.Newest) {
		return Verdict{"errno", 38}
	}
	return Verdict{"allow", 0}
}

func ExampleFormat() {
	program, _ := Compile(plan.Seccomp{Newest: 471, Rules: []plan.SeccompRule{
		{Calls: []string{"keyctl"}, Action: "errno", Errno: "ENOSYS", Why: "keyrings are shared"},
	}}, "amd64")
	fmt.Print(Format(program, "amd64"))
	// Output:
	// 0  load arch
	//   1  if == 0xc000003e goto 3 else 2
	//   2  return kill
	//   3  load nr
	//   4  if >= 251 goto 6 else 5  ; ioprio_set
	//   5  if >= 250 goto 8 else 7  ; keyctl
	//   6  if >= 472 goto 8 else 7
	//   7  return allow
	//   8  return ENOSYS
}
