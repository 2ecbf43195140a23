// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strings"
)

// A plan for Linux without namespaces confines each command by Landlock and a
// filter alone. Fenced reports whether a plan is one.
func (p *Plan) Fenced() bool {
	if p.OS != "linux" || len(p.Steps) == 0 {
		return false
	}
	for _, s := range p.Steps {
		switch s.(type) {
		case Namespaces, Wrap:
			return false
		}
	}
	return true
}

// checkFenced checks the set of steps of a plan without namespaces: nothing
// that needs a mount, and the three walls.
func (p *Plan) checkFenced(seen map[string]bool) error {
	for i, s := range p.Steps {
		switch st := s.(type) {
		case TempDir, Watch, Limits, ProcessGroup, Broker, Metadata, Privileges, Seccomp:
		case Landlock:
			for _, r := range st.Rules {
				if r.Path == TmpSymbol && !seen[TempDir{}.Name()] {
					return invalid("step %d, %s, names the directory of a step temp-dir that is not there", i, s.Name())
				}
			}
		default:
			return invalid("step %d, %s, needs namespaces", i, s.Name())
		}
	}
	for _, name := range []string{Privileges{}.Name(), Landlock{}.Name(), Seccomp{}.Name()} {
		if !seen[name] {
			return invalid("the steps have neither namespaces nor %s", name)
		}
	}
	return nil
}

// Allows reports whether a rule gives an access right at a path.
func (st Landlock) Allows(name, right string) bool {
	within := func(dir string) bool {
		return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
	}
	return slices.ContainsFunc(st.Rules, func(r LandlockRule) bool {
		return within(r.Path) && slices.Contains(r.Access, right) && !slices.ContainsFunc(r.Except, within)
	})
}

// ExceptOver returns the exception of a rule that a path lies in, or "".
func (st Landlock) ExceptOver(name string) string {
	for _, r := range st.Rules {
		for _, dir := range r.Except {
			if name == dir || strings.HasPrefix(name, dir+"/") {
				return dir
			}
		}
	}
	return ""
}

func checkLandlock(st Landlock) error {
	for _, r := range st.Rules {
		if r.Path == TmpSymbol {
			if len(r.Except) > 0 {
				return fmt.Errorf("the rule for %s has exceptions", r.Path)
			}
			continue
		}
		if err := absolute(r.Path); err != nil {
			return err
		}
		for _, name := range r.Except {
			if err := belowRoot(name); err != nil {
				return err
			}
			if !strings.HasPrefix(name, strings.TrimSuffix(r.Path, "/")+"/") {
				return fmt.Errorf("the exception %q is not beneath %q", name, r.Path)
			}
		}
	}
	return nil
}

// fenceGroups says for people what the rules of a plan without namespaces
// allow: what may be written, and what of the rest is hidden.
func fenceGroups(st Landlock, groups *[6][]string) {
	for _, r := range st.Rules {
		switch {
		case strings.HasPrefix(r.Path, "/dev/") || r.Path == TmpSymbol: // the step temp-dir tells
		case slices.Contains(r.Access, "write_file"):
			groups[0] = append(groups[0], r.Path)
		case r.Path != "/":
			groups[2] = append(groups[2], r.Path)
		}
		groups[4] = append(groups[4], r.Except...)
	}
}

const afInet = 2 // AF_INET of socket(2)

// refuses reports whether a call fails for a first argument of 32 bits,
// whatever the others are.
func (st Seccomp) refuses(call string, first uint64) bool {
	holds := func(c SeccompCondition) bool {
		return c.Arg == 0 && c.Mask == 0xffffffff && (c.Op == "==") == (c.Value == first)
	}
	for _, r := range st.Rules {
		if r.Action == "errno" && slices.Contains(r.Calls, call) && !slices.ContainsFunc(r.When, func(c SeccompCondition) bool { return !holds(c) }) {
			return true
		}
	}
	return false
}
