// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"slices"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// needed are the calls that caisson makes sandboxes with and the default
// profile keeps for privileged containers: it makes namespaces, enters them
// for further commands, and puts mounts in them; its broker copies the sockets
// that commands connect. All of it is refused to who has no privileges, but in
// a user namespace of their own.
var needed = []string{"clone", "mount", "mount_setattr", "move_mount", "open_tree", "pidfd_getfd", "setns", "unshare"}

// fleetProfile is the default profile for amd64 and arm64 with what caisson
// needs, in the one form that Docker, containerd and CRI-O all read.
func fleetProfile() *specs.LinuxSeccomp {
	base := seccomp.DefaultProfile()
	profile := &specs.LinuxSeccomp{DefaultAction: base.DefaultAction, DefaultErrnoRet: base.DefaultErrnoRet}
	for _, a := range base.ArchMap {
		if a.Arch == specs.ArchX86_64 || a.Arch == specs.ArchAARCH64 {
			profile.Architectures = append(append(profile.Architectures, a.Arch), a.SubArches...)
		}
	}
	for _, rule := range base.Syscalls {
		if !ordinary(rule) {
			continue
		}
		call := rule.LinuxSyscall
		call.Names = slices.DeleteFunc(slices.Clone(call.Names), func(name string) bool { return slices.Contains(needed, name) || name == "clone3" })
		if len(call.Names) > 0 {
			profile.Syscalls = append(profile.Syscalls, call)
		}
	}
	// Go and the C libraries take clone where the kernel has no clone3, whose
	// flags no filter can see.
	nosys := uint(38)
	return addCalls(profile,
		specs.LinuxSyscall{Names: []string{"clone3"}, Action: specs.ActErrno, ErrnoRet: &nosys},
		specs.LinuxSyscall{Names: needed, Action: specs.ActAllow})
}

func addCalls(p *specs.LinuxSeccomp, calls ...specs.LinuxSyscall) *specs.LinuxSeccomp {
	p.Syscalls = append(p.Syscalls, calls...)
	return p
}

// ordinary reports whether a rule holds in a container with the default
// capabilities on one of the two architectures.
func ordinary(rule *seccomp.Syscall) bool {
	known := func(arch string) bool { return slices.Contains([]string{"amd64", "x86", "x32", "arm64", "arm"}, arch) }
	granted := func(name string) bool { _, ok := capabilities[name]; return ok }
	if in := rule.Includes; in != nil {
		if len(in.Arches) > 0 && !slices.ContainsFunc(in.Arches, known) || slices.ContainsFunc(in.Caps, func(c string) bool { return !granted(c) }) {
			return false
		}
	}
	return rule.Excludes == nil || !slices.ContainsFunc(rule.Excludes.Caps, granted)
}
