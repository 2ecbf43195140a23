// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
)

// kernel is one to try caisson on. Latest is the package of Debian 12 that
// depends on the newest of its kind; without one the kernel is the host's, and
// nothing is emulated.
type kernel struct{ name, arch, latest string }

func kernels() []kernel {
	return []kernel{
		{name: "host"},
		{"6.1", "amd64", "linux-image-cloud-amd64"},
		{"6.12", "amd64", "linux-image-6.12-cloud-amd64"},
		{"6.12-arm64", "arm64", "linux-image-6.12-cloud-arm64"},
	}
}

// situation is what a host may be like, and which backend is judged there.
type situation struct {
	name, title string
	backend     string // "" is the best that there is
	settings    map[string]string
	docker      bool   // under Docker's default filter and capabilities
	profile     string // of AppArmor
	userOnly    bool   // root is not concerned
}

func situations() []situation {
	const strong, fallback = "linux/namespaces", "linux/landlock"
	return []situation{
		{name: "strong", title: "as it comes", backend: strong},
		{name: "fallback", title: "as it comes", backend: fallback},
		{name: "docker", title: "under Docker's default seccomp profile", docker: true},
		{name: "no-clone", title: "kernel.unprivileged_userns_clone=0", settings: map[string]string{"kernel/unprivileged_userns_clone": "0"}, userOnly: true},
		{name: "apparmor", title: "under an AppArmor profile that denies capabilities", profile: withoutCapabilities, userOnly: true},
		{name: "no-userns", title: "user.max_user_namespaces=0", settings: map[string]string{"user/max_user_namespaces": "0"}},
	}
}

// withoutCapabilities is the profile that comes nearest to what Ubuntu does from
// 24.04 on, whose switch is in no other kernel: user namespaces are made, and
// nothing can be done in them. It says nothing of user namespaces, as what
// mediates those is not in all kernels here.
const withoutCapabilities = `abi <abi/3.0>,

profile restricted ` + guestCaisson + ` flags=(attach_disconnected) {
  file,
  network,
  mount,
  remount,
  umount,
  pivot_root,
  signal,
  ptrace,
  unix,
  dbus,
  deny capability,
}
`

// guestCaisson is where a guest has caisson.
const guestCaisson = "/bin/caisson"

// cell is a kernel in a situation, for one user.
type cell struct {
	kernel
	situation
	user bool
}

// name is "6.12-arm64/docker/user".
func (c cell) String() string {
	return c.kernel.name + "/" + c.situation.name + "/" + map[bool]string{false: "root", true: "user"}[c.user]
}

// cells are all that can be. The host's own settings and profiles are left alone.
func cells() []cell {
	var all []cell
	for _, k := range kernels() {
		for _, s := range situations() {
			if k.latest == "" && (s.settings != nil || s.profile != "") {
				continue
			}
			for _, user := range []bool{false, true} {
				if user || !s.userOnly {
					all = append(all, cell{k, s, user})
				}
			}
		}
	}
	return all
}

// The steps of every cell.
const (
	stepBackends = "backends"
	stepRun      = "run"
	stepWeaker   = "weaker" // a standard run that gives up what its refusals name, and no more
	stepSuite    = "suite"
	stepLimits   = "limits" // where the cell has the strong backend, in guests
)

// weaker is a script that runs its arguments and what they are to run, once
// more with the flags that the refusals print, if it was refused.
const weaker = `said=$("$0" "$@" -- /bin/true 2>&1) || "$0" "$@" $(printf %s "$said" | grep -o -e '--allow-weaker [a-z.]*$') -- /bin/true`

// scope says how much of the suite is run, and for how long.
type scope struct {
	match string // of case ids; "" is all
	limit time.Duration
}

// limits says that the tests of limits are run, and none may be skipped: a
// guest delegates control groups, as this host may not.
func (c cell) limits() bool { return c.latest != "" && c.situation.name == "strong" }

// steps are what is done in a cell. Caisson is the path of the program, docker
// that of what confines it, work a directory that the user can write to.
func (c cell) steps(caisson, docker, work string, s scope) []wire.Step {
	in := func(name string, seconds int, argv ...string) wire.Step {
		if c.docker {
			argv = append([]string{docker}, argv...)
		}
		return wire.Step{Name: name, User: c.user, Argv: argv, Seconds: seconds}
	}
	seconds := int(s.limit / time.Second)
	suite := []string{caisson, "conformance", "run", "-q", "--format", "json", "--timeout", fmt.Sprint(seconds, "s")}
	// Emulated processors are up to forty times slower.
	if c.latest != "" {
		suite = append(suite, "--case-timeout", "600s")
	}
	if s.match != "" {
		suite = append(suite, "--match", s.match)
	}
	if c.backend != "" {
		suite = append(suite, "--backend", c.backend)
	}
	run := []string{caisson, "run", "-w", work}
	if c.backend != "" {
		run = append(run, "--backend", c.backend)
	}
	steps := []wire.Step{
		in(stepBackends, 60, caisson, "backends", "--json"),
		in(stepRun, 60, append(run, "--", "/bin/true")...),
		in(stepWeaker, 60, append([]string{"/bin/sh", "-c", weaker}, run...)...),
		in(stepSuite, seconds+30, suite...),
	}
	if c.limits() {
		steps = append(steps, in(stepLimits, 300, "/bin/limits", "-test.v", "-test.run", "^(TestLimit|TestForkBomb)"))
	}
	return steps
}
