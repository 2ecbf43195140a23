// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Validate checks what can be checked without a host: the format, the values
// of every step, and the order that the launcher relies on.
func (p *Plan) Validate() error {
	if p.Format != Format {
		return invalid("format %d is not known, only %d", p.Format, Format)
	}
	if p.Backend == "" || p.OS == "" || p.Arch == "" {
		return invalid("backend, os and arch must be named")
	}
	for id, c := range p.Claims {
		if !guarantee.Known(id) {
			return invalid("unknown guarantee %q", id)
		}
		if !slices.Contains([]guarantee.By{guarantee.ByKernel, guarantee.ByAccount, guarantee.ByLaunch, guarantee.ByVM}, c.By) {
			return invalid("%s is upheld by the unknown %q", id, c.By)
		}
	}
	for _, u := range p.Unmet {
		if !guarantee.Known(u.ID) {
			return invalid("unknown guarantee %q", u.ID)
		}
		if _, both := p.Claims[u.ID]; both {
			return invalid("%s is claimed and unmet at once", u.ID)
		}
	}
	for _, e := range p.Env {
		if e.Name == "" || strings.ContainsAny(e.Name, "=\x00") || strings.Contains(e.Value, "\x00") {
			return invalid("bad environment variable %q", e.Name)
		}
	}
	if p.Windows != nil {
		if p.OS != "windows" || len(p.Steps) > 0 {
			return invalid("what Windows is told stands in a plan for %s", p.OS)
		}
		if err := p.Windows.validate(); err != nil {
			return invalid("%v", err)
		}
		return nil
	}
	last, seen := 0, map[string]bool{}
	for i, s := range p.Steps {
		rank, single := order(s)
		if rank < last {
			return invalid("step %d, %s, comes too late", i, s.Name())
		}
		last = rank
		if single && seen[s.Name()] {
			return invalid("step %d, %s, may stand once", i, s.Name())
		}
		seen[s.Name()] = true
		if err := checkStep(s); err != nil {
			return invalid("step %d, %s: %v", i, s.Name(), err)
		}
		if _, ok := s.(Seatbelt); ok && p.OS != "darwin" {
			return invalid("step %d, %s, is unknown on %s", i, s.Name(), p.OS)
		}
		if b, ok := s.(Broker); ok && b.Makes && !p.Fenced() {
			return invalid("step %d, %s, makes sockets, which only a plan without namespaces has done", i, s.Name())
		}
		switch s.(type) {
		case Private, Cover, MountPoint, Link, Devices, Hold:
			if _, wrapped := p.Wrapped(); !seen["scratch"] && !wrapped {
				return invalid("step %d, %s, needs a scratch before it", i, s.Name())
			}
		}
	}
	if p.OS == "darwin" {
		return p.checkDarwin(seen)
	}
	if seen["wrap"] {
		return p.checkBeside()
	}
	if seen["egress"] && !p.ownNetwork() {
		return invalid("the step egress needs a network of the sandbox's own, with a loopback")
	}
	if len(p.Steps) > 0 && !seen["namespaces"] {
		return p.checkFenced(seen)
	}
	if seen["temp-dir"] {
		return invalid("the step temp-dir cannot stand beside namespaces")
	}
	return nil
}

func invalid(format string, args ...any) error {
	return diag.New(diag.PlanInvalid, "invalid plan: "+fmt.Sprintf(format, args...), "")
}

// order is the place of a step, and whether it may stand once only.
func order(s Step) (rank int, single bool) {
	switch s.(type) {
	case Namespaces:
		return 0, true
	case ReadOnlyRoot:
		return 1, true
	case Scratch, TempDir:
		return 2, true
	case Devices, Proc, Watch, Limits, ProcessGroup, Broker, Metadata, Egress:
		return 3, true
	case Private, Link, Bind, Cover, MountPoint, Hold:
		return 3, false
	case Privileges:
		return 5, true
	case Landlock:
		return 6, true
	}
	return 7, true
}

func checkStep(s Step) error {
	switch st := s.(type) {
	case Namespaces:
		known := []string{"user", "mount", "pid", "net", "ipc", "uts", "cgroup"}
		for i, k := range st.Kinds {
			if !slices.Contains(known, k) || slices.Contains(st.Kinds[:i], k) {
				return fmt.Errorf("kind %q", k)
			}
		}
		for _, k := range []string{"user", "mount", "pid"} {
			if !slices.Contains(st.Kinds, k) {
				return fmt.Errorf("kind %q is missing", k)
			}
		}
		return oneOf("ids", st.IDs, "self", "all")
	case Scratch:
		if st.Bytes <= 0 || st.Inodes <= 0 {
			return fmt.Errorf("a size must be positive")
		}
	case Private:
		if st.Mode > 0o1777 {
			return fmt.Errorf("mode %o", st.Mode)
		}
		return belowRoot(st.Path)
	case Devices:
		for _, n := range st.Names {
			if n == "" || strings.ContainsAny(n, "/\x00") || n == ".." {
				return fmt.Errorf("device %q", n)
			}
		}
	case Link:
		if st.Target == "" || strings.Contains(st.Target, "\x00") {
			return fmt.Errorf("target %q", st.Target)
		}
		return belowRoot(st.Path)
	case Bind:
		if err := oneOf("access", st.Access, "read", "write"); err != nil {
			return err
		}
		if err := oneOf("kind", st.Kind, "dir", "file", "symlink", "other"); err != nil {
			return err
		}
		if err := oneOf("role", st.Role, "root", "write", "pin", "protect", "show"); err != nil {
			return err
		}
		if st.Source != "" {
			if err := absolute(st.Source); err != nil {
				return err
			}
		}
		return belowRoot(st.Path)
	case Cover:
		if err := oneOf("kind", st.Kind, "dir", "file", "symlink", "other"); err != nil {
			return err
		}
		return belowRoot(st.Path)
	case MountPoint:
		if err := oneOf("kind", st.Kind, "dir", "file", "symlink", "other"); err != nil {
			return err
		}
		return absolute(st.Path)
	case Hold:
		if err := oneOf("kind", st.Kind, "dir", "file", "link"); err != nil {
			return err
		}
		return belowRoot(st.Path)
	case Proc:
		for _, n := range st.Covered {
			if err := absolute("/" + n); err != nil {
				return err
			}
		}
	case Watch:
		for _, list := range [][]string{st.Quarantine, st.Report, st.Git, st.Hidden} {
			for _, name := range list {
				if err := absolute(name); err != nil {
					return err
				}
			}
		}
	case Limits:
		if st.Core < 0 || st.Processes < 0 || st.Memory < 0 || st.Milliseconds < 0 {
			return fmt.Errorf("a limit is negative")
		}
		return checkLimits(st)
	case Landlock:
		return checkLandlock(st)
	case Metadata:
		for _, name := range st.Protect {
			if err := absolute(name); err != nil {
				return err
			}
		}
	case Broker:
		for _, name := range st.Allow {
			if err := absolute(name); err != nil {
				return err
			}
		}
	case Egress:
		return checkEgress(st)
	case Seccomp:
		return checkSeccomp(st)
	case TempDir:
		return belowRoot(st.Parent)
	case Seatbelt:
		return checkSeatbelt(st)
	case Wrap:
		return checkWrap(st)
	}
	return nil
}

// ownNetwork reports whether commands have a network with a loopback of its own.
func (p *Plan) ownNetwork() bool {
	ns, ok := p.Steps[0].(Namespaces)
	return ok && ns.Loopback && slices.Contains(ns.Kinds, "net")
}

// checkEgress wants ports, each for one thing: what is passed in and passed out
// at once would go round.
func checkEgress(st Egress) error {
	var seen []int
	ports := slices.Concat(st.Loopback, st.Publish)
	if st.Proxy != 0 {
		ports = append(ports, st.Proxy)
	}
	for _, port := range ports {
		if port < 1 || port > 65535 {
			return fmt.Errorf("port %d", port)
		}
		if slices.Contains(seen, port) {
			return fmt.Errorf("port %d is there for two things", port)
		}
		seen = append(seen, port)
	}
	if len(ports) == 0 {
		return fmt.Errorf("there is no port")
	}
	return nil
}

// checkLimits wants a control group where something is limited by one, and
// nowhere else.
func checkLimits(st Limits) error {
	switch needed := st.Memory > 0 || st.ProcessesBy == "cgroup"; {
	case (st.Processes > 0) != (st.ProcessesBy != ""):
		return fmt.Errorf("processes %d with processes_by %q", st.Processes, st.ProcessesBy)
	case needed != (st.Cgroup != ""):
		return fmt.Errorf("cgroup %q", st.Cgroup)
	case needed:
		if err := belowRoot(st.Cgroup); err != nil {
			return err
		}
	}
	return oneOf("processes_by", st.ProcessesBy, "", "rlimit", "cgroup")
}

// checkSeccomp leaves names of calls and errors to the compiler of filters,
// which has the tables.
func checkSeccomp(st Seccomp) error {
	if st.Newest <= 0 {
		return fmt.Errorf("newest %d", st.Newest)
	}
	for _, r := range st.Rules {
		if len(r.Calls) == 0 {
			return fmt.Errorf("a rule names no call")
		}
		if err := oneOf("action", r.Action, "errno", "notify", "observe", "kill"); err != nil {
			return err
		}
		if isErrno := strings.HasPrefix(r.Errno, "E"); isErrno != (r.Action == "errno") || r.Errno != "" && !isErrno {
			return fmt.Errorf("errno %q with action %q", r.Errno, r.Action)
		}
		if r.Action == "observe" {
			for _, name := range r.Calls {
				if !slices.Contains(Observed(), name) {
					return fmt.Errorf("the call %q cannot be observed", name)
				}
			}
		}
		for _, c := range r.When {
			if c.Arg < 0 || c.Arg > 5 {
				return fmt.Errorf("there is no argument %d", c.Arg)
			}
			if err := oneOf("op", c.Op, "==", "!="); err != nil {
				return err
			}
		}
	}
	return nil
}

// absolute checks that a path is absolute, clean and free of NUL.
func absolute(name string) error {
	if !path.IsAbs(name) || path.Clean(name) != name || strings.Contains(name, "\x00") {
		return fmt.Errorf("path %q is not absolute and clean", name)
	}
	return nil
}

// belowRoot is absolute for what is mounted or made: never the root itself.
func belowRoot(name string) error {
	if name == "/" {
		return fmt.Errorf("path is the root itself")
	}
	return absolute(name)
}

func oneOf(field, value string, known ...string) error {
	if !slices.Contains(known, value) {
		return fmt.Errorf("%s %q is none of %q", field, value, known)
	}
	return nil
}
