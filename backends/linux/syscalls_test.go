// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestFilterRules holds what every rule must have, and that all of it compiles
// to short programs: installing costs about a microsecond per instruction.
func TestFilterRules(t *testing.T) {
	t.Parallel()
	all := filter(filterOptions{Broker: true, Fence: &fenceOptions{Offline: true, Metadata: true, Truncate: true, Watch: true}})
	for i, r := range all.Rules {
		if r.Why == "" || len(r.Calls) == 0 {
			t.Errorf("rule %d (%v) lacks calls or a reason", i, r.Calls)
		}
		for _, name := range r.Calls {
			if !seccomp.KnownCall(name) {
				t.Errorf("rule %d: no architecture has a call %q", i, name)
			}
		}
	}
	for arch, most := range map[string]int{"amd64": 260, "arm64": 240} {
		program, err := seccomp.Compile(all, arch)
		if err != nil {
			t.Fatal(err)
		}
		if len(program) >= most {
			t.Errorf("%s: %d instructions, want fewer than %d", arch, len(program), most)
		}
		if last, ok := seccomp.Number("rseq_slice_yield", arch); !ok || last != all.Newest {
			t.Errorf("%s: rseq_slice_yield is %d, not the newest call %d", arch, last, all.Newest)
		}
	}
}

func TestFilterGolden(t *testing.T) {
	t.Parallel()
	s := filter(filterOptions{Broker: true, Fence: &fenceOptions{Offline: true, Metadata: true, Truncate: true, Watch: true}})
	var b strings.Builder
	for _, r := range s.Rules {
		fmt.Fprintf(&b, "%s %s: %s", r.Action, r.Errno, strings.Join(r.Calls, " "))
		for i, c := range r.When {
			fmt.Fprintf(&b, "%s arg%d & %#x %s %#x", []string{" where", " and"}[min(i, 1)], c.Arg, c.Mask, c.Op, c.Value)
		}
		fmt.Fprintf(&b, "\n    %s\n", r.Why)
	}
	golden(t, "filter-rules", b.String())
	for _, arch := range []string{"amd64", "arm64"} {
		program, err := seccomp.Compile(filter(filterOptions{}), arch)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "filter-"+arch, seccomp.Format(program, arch))
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
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
		t.Errorf("differs from %s; run the test with -update and read the difference:\n%s", file, got)
	}
}

func TestFilterVerdicts(t *testing.T) {
	t.Parallel()
	const garbage = 0xabadcafe << 32
	type args = [6]uint64
	strong, shared := filterOptions{}, filterOptions{Broker: true, Fence: &fenceOptions{Offline: true, Metadata: true, Truncate: true, Watch: true}}
	pairs := filterOptions{Fence: &fenceOptions{Metadata: true, Pairs: true}}
	making := filterOptions{Broker: true, Fence: &fenceOptions{Offline: true, Metadata: true, Makes: true}}
	for _, test := range []struct {
		call string
		args args
		want string
		opts filterOptions
	}{
		{"clone", args{0x1200011}, "allow", strong}, // fork
		{"clone", args{0x3d0f00}, "allow", strong},  // a thread
		{"clone", args{garbage | 0x10000011}, "EPERM", strong},
		{"clone", args{0x40000000}, "EPERM", strong},
		{"clone", args{0x00020000}, "EPERM", strong},
		{"clone3", args{}, "ENOSYS", strong},
		{"unshare", args{0x400}, "allow", strong},
		{"unshare", args{0x10000000}, "EPERM", strong},
		{"unshare", args{0x80}, "EPERM", strong}, // time namespace
		{"unshare", args{1 << 37}, "EPERM", strong},
		{"setns", args{}, "EPERM", strong},
		{"mount", args{}, "EPERM", strong},
		{"open_tree", args{}, "ENOSYS", strong},
		{"open_tree_attr", args{}, "ENOSYS", strong},
		{"ptrace", args{}, "allow", strong},
		{"io_uring_setup", args{}, "ENOSYS", strong},
		{"io_uring_register", args{}, "ENOSYS", strong},
		{"pidfd_open", args{}, "allow", strong},
		{"pidfd_getfd", args{}, "EPERM", strong},
		{"personality", args{0xffffffff}, "allow", strong},
		{"personality", args{garbage | 0xffffffff}, "allow", strong},
		{"personality", args{0x40000}, "allow", strong},
		{"personality", args{8}, "allow", strong},
		{"personality", args{0x440000}, "EPERM", strong}, // READ_IMPLIES_EXEC
		{"personality", args{6}, "EPERM", strong},
		{"seccomp", args{1, 0}, "allow", strong},
		{"seccomp", args{1, 0x17}, "allow", strong},
		{"seccomp", args{1, 8}, "EINVAL", strong}, // a new listener
		{"seccomp", args{garbage | 1, garbage | 0x40}, "EINVAL", strong},
		{"setpriority", args{0, 5}, "allow", strong},
		{"setpriority", args{1, 0}, "EPERM", strong},
		{"setpriority", args{2, 0}, "EPERM", strong},
		{"setpriority", args{0, 5}, "EPERM", shared},
		{"setpriority", args{garbage, garbage}, "allow", shared},
		{"ioprio_set", args{1, 0}, "allow", shared},
		{"ioprio_set", args{2, 0}, "EPERM", strong},
		{"prlimit64", args{7}, "allow", strong},
		{"prlimit64", args{7}, "EPERM", shared},
		{"prlimit64", args{0}, "allow", shared},
		{"openat", args{0, 0, 0, 0o6777}, "allow", strong}, // not creating: the mode is garbage
		{"openat", args{0, 0, 0x41, 0o666}, "allow", strong},
		{"openat", args{0, 0, garbage | 0x41, 0o4755}, "EPERM", strong},
		{"openat", args{0, 0, 0x41, 0o2755}, "EPERM", strong},
		{"openat", args{0, 0, 0x410002, 0o4755}, "EPERM", strong}, // O_TMPFILE
		{"open", args{0, 0x41, 0o4755}, "EPERM", strong},
		{"open", args{0, 0, 0o4755}, "allow", strong},
		{"creat", args{0, 0o4755}, "EPERM", strong},
		{"mknod", args{0, 0o102755}, "EPERM", strong},
		{"mknodat", args{0, 0, 0o104755}, "EPERM", strong},
		{"chmod", args{0, 0o2775}, "allow", strong},
		{"chmod", args{0, garbage | 0o4755}, "EPERM", strong},
		{"fchmod", args{0, 0o4755}, "EPERM", strong},
		{"fchmodat", args{0, 0, 0o4755}, "EPERM", strong},
		{"fchmodat2", args{0, 0, 0o4755}, "EPERM", strong},
		{"mkdirat", args{0, 0, 0o2775}, "allow", strong},
		{"openat2", args{}, "ENOSYS", strong},
		{"socket", args{1, 1}, "allow", strong},
		{"socket", args{1, 0x80805}, "allow", strong},
		{"socket", args{1, 2}, "EPROTONOSUPPORT", strong},
		{"socketpair", args{1, 0x80002}, "EPROTONOSUPPORT", strong},
		{"socketpair", args{1, 3}, "EPROTONOSUPPORT", strong}, // raw becomes datagram
		{"socketpair", args{garbage | 1, garbage | 1}, "allow", strong},
		{"socket", args{2, 2, 17}, "allow", strong},
		{"socket", args{10, 1, 6}, "allow", strong},
		{"socket", args{2, 1, 262}, "EPROTONOSUPPORT", strong}, // mptcp
		{"socket", args{10, 5, 132}, "EPROTONOSUPPORT", strong},
		{"socket", args{2, 10, 0}, "EPROTONOSUPPORT", strong}, // SOCK_PACKET
		{"socket", args{16, 3, 0}, "allow", strong},
		{"socket", args{16, 3, 12}, "EPROTONOSUPPORT", strong}, // netfilter
		{"socket", args{16, 3, 6}, "EPROTONOSUPPORT", strong},  // xfrm
		{"socket", args{17, 3, 0}, "EAFNOSUPPORT", strong},
		{"socket", args{garbage | 40, 1, 0}, "EAFNOSUPPORT", strong}, // vsock
		{"socket", args{38, 5, 0}, "EAFNOSUPPORT", strong},           // alg
		{"setsockopt", args{3, 6, 1}, "allow", strong},
		{"setsockopt", args{3, 1, 31}, "allow", strong},
		{"setsockopt", args{3, garbage | 6, garbage | 31}, "ENOPROTOOPT", strong},
		{"ioctl", args{0, 0x5413}, "allow", strong},
		{"ioctl", args{0, 0x5410}, "allow", strong}, // TIOCSPGRP
		{"ioctl", args{0, garbage | 0x5412}, "EPERM", strong},
		{"fcntl", args{0, garbage | 1024}, "EINVAL", strong},
		{"fcntl", args{0, 1025}, "allow", strong},
		{"fcntl", args{0, 1040}, "EINVAL", strong},
		{"ioctl", args{0, garbage | 0x541c}, "EPERM", strong},
		{"ioctl", args{0, 0x5423}, "EPERM", strong},
		{"connect", args{}, "allow", strong},
		{"connect", args{}, "notify", shared},
		{"chmod", args{0, 0o644}, "notify", shared},
		{"chmod", args{0, 0o4644}, "EPERM", shared},
		{"fchmod", args{0, 0o644}, "allow", strong},
		{"utimensat", args{}, "notify", shared},
		{"fchownat", args{}, "notify", shared},
		{"inotify_add_watch", args{}, "notify", shared},
		{"inotify_add_watch", args{}, "allow", strong},
		{"socket", args{2, 1, 0}, "EAFNOSUPPORT", shared},
		{"socket", args{garbage | 10, 1, 0}, "EAFNOSUPPORT", shared},
		{"socket", args{1, 1, 0}, "allow", shared},
		{"socket", args{2, 1, 0}, "allow", strong},
		{"socket", args{1, 1, 0}, "notify", making},
		{"socket", args{garbage | 1, 0x80805, 0}, "notify", making},
		{"socket", args{1, 2, 0}, "EPROTONOSUPPORT", making},
		{"socket", args{2, 1, 0}, "EAFNOSUPPORT", making},
		{"socketpair", args{1, 1, 0}, "allow", making},
		{"socket", args{1, 1, 0}, "EACCES", pairs},
		{"socket", args{garbage | 1, 0x80805, 0}, "EACCES", pairs},
		{"socket", args{2, 1, 0}, "allow", pairs},
		{"socketpair", args{1, 1, 0}, "allow", pairs},
		{"socketpair", args{1, 2, 0}, "EPROTONOSUPPORT", pairs},
		{"connect", args{}, "allow", pairs},
		{"bind", args{}, "notify", making},
		{"listen", args{}, "notify", making},
		{"accept4", args{}, "allow", making},
		{"bind", args{}, "allow", shared},
		{"inotify_add_watch", args{}, "EACCES", making},
		{"shmget", args{}, "ENOSYS", shared},
		{"mq_open", args{}, "ENOSYS", shared},
		{"fsetxattr", args{}, "EOPNOTSUPP", shared},
		{"file_setattr", args{}, "ENOSYS", shared},
		{"ioctl", args{3, 0x40086602}, "EOPNOTSUPP", shared}, // FS_IOC_SETFLAGS
		{"ioctl", args{3, 0x80086601}, "allow", shared},      // FS_IOC_GETFLAGS
		{"ioctl", args{3, 0x401c5820}, "EOPNOTSUPP", shared}, // FS_IOC_FSSETXATTR
		{"ioctl", args{3, 0x801c581f}, "allow", shared},      // FS_IOC_FSGETXATTR
		{"ioctl", args{3, 0x5000940f}, "EOPNOTSUPP", shared}, // BTRFS_IOC_SNAP_DESTROY
		{"ioctl", args{3, 0x40049409}, "allow", shared},      // FICLONE
		{"ioctl", args{3, 0x5401}, "allow", shared},          // TCGETS
		{"truncate", args{}, "notify", shared},
		{"truncate", args{}, "allow", strong},
		{"openat", args{0, 0, 0o1000}, "EPERM", shared},
		{"openat", args{0, 0, 0o1001}, "allow", shared}, // Landlock judges a writable one
	} {
		for _, arch := range []string{"amd64", "arm64"} {
			nr, ok := seccomp.Number(test.call, arch)
			if !ok {
				continue // amd64 only; TestFilterRules looks at the names
			}
			got := verdict(t, filter(test.opts), seccomp.Call{Arch: arch, Nr: uint32(nr), Args: test.args})
			if got != test.want {
				t.Errorf("%s: %s(%#x) with %+v: got %s, want %s", arch, test.call, test.args, test.opts, got, test.want)
			}
		}
	}
}

// TestFilterLetsLauncherThrough: what the launcher calls after the filter
// stands, and what every program needs.
func TestFilterLetsLauncherThrough(t *testing.T) {
	t.Parallel()
	for _, name := range calls("read", "write", "close", "close_range", "dup3", "fcntl", "setpgid", "ioctl", "prlimit64", "rt_sigprocmask",
		"rt_sigaction", "chdir", "fchdir", "openat", "statx", "lseek", "execve", "execveat", "exit_group", "exit", "sendmsg", "recvmsg", "clone",
		"vfork", "wait4", "waitid", "pause", "ppoll", "mmap", "futex", "prctl", "landlock_create_ruleset", "landlock_restrict_self", "memfd_create", "pidfd_open", "rseq", "uretprobe") {
		for _, arch := range []string{"amd64", "arm64"} {
			nr, ok := seccomp.Number(name, arch)
			if !ok {
				continue
			}
			if got := verdict(t, filter(filterOptions{Broker: true, Fence: &fenceOptions{Offline: true, Metadata: true, Truncate: true, Watch: true}}), seccomp.Call{Arch: arch, Nr: uint32(nr)}); got != "allow" {
				t.Errorf("%s: %s: got %s", arch, name, got)
			}
		}
	}
}

func verdict(t *testing.T, s plan.Seccomp, c seccomp.Call) string {
	t.Helper()
	program, err := seccomp.Compile(s, c.Arch)
	if err != nil {
		t.Fatal(err)
	}
	v, err := seccomp.Simulate(program, c)
	if err != nil {
		t.Fatal(err)
	}
	return v.String()
}

// TestObserveWeakensNothing compares filters with and without observation over
// every call and over arguments that rules look at: what is refused, answered or
// killed stays so, and of what is allowed only calls that name files are shown.
func TestObserveWeakensNothing(t *testing.T) {
	t.Parallel()
	values := []uint64{0, 1, 2, 5, 10, 16, 17, 0x41, 0x1000, 0x5412, 0x5413, 1024, 0o4755, 0x10000000, 0x7e020000, 0xffffffff, 1 << 40}
	for _, arch := range []string{"amd64", "arm64"} {
		observed := map[uint32]bool{}
		for _, name := range plan.Observed() {
			if nr, ok := seccomp.Number(name, arch); ok {
				observed[uint32(nr)] = true
			}
		}
		var programs [2][]seccomp.Instruction
		for i, o := range []filterOptions{{Broker: true}, {Broker: true, Observe: true}} {
			var err error
			if programs[i], err = seccomp.Compile(filter(o), arch); err != nil {
				t.Fatal(err)
			}
		}
		shown := map[uint32]bool{}
		for nr := uint32(0); nr <= newestCall+2; nr++ {
			for at := range 6 {
				for _, v := range values {
					c := seccomp.Call{Arch: arch, Nr: nr}
					c.Args[at] = v
					c.Args[2] |= 0x41 // creating, so that modes are looked at
					before, err := seccomp.Simulate(programs[0], c)
					if err != nil {
						t.Fatal(err)
					}
					after, err := seccomp.Simulate(programs[1], c)
					if err != nil {
						t.Fatal(err)
					}
					if after == before {
						continue
					}
					if before.Action != "allow" || after.Action != "notify" || !observed[nr] {
						t.Errorf("%s: %+v: %v became %v", arch, c, before, after)
					}
					shown[nr] = true
				}
			}
		}
		if len(shown) != len(observed) {
			t.Errorf("%s: %d calls are shown of %d", arch, len(shown), len(observed))
		}
	}
}
