// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/envfilter"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// environ is the environment of the host.
func (p *Prepared) environ() []string {
	if p.options.Environ != nil {
		return p.options.Environ
	}
	return os.Environ()
}

// inherit filters the caller's environment once for all commands.
func (s *Sandbox) inherit() {
	kept, dropped := s.filter(s.prepared.environ())
	s.base = kept
	for _, d := range dropped {
		grant := diag.NewGrant(diag.GrantEnv, d.Name)
		s.notes = append(s.notes, diag.Diagnostic{
			Code: diag.EnvDropped, Message: fmt.Sprintf("%s is not passed on: %s", diag.Quote(d.Name), d.Why), Grant: &grant,
		})
	}
}

// Inherited returns what of an environment, as NAME=VALUE, the policy lets
// commands inherit: for a Cmd.Env that is another caller's than this process's.
func (s *Sandbox) Inherited(environ []string) []string {
	kept, _ := s.filter(environ)
	return kept
}

func (s *Sandbox) filter(environ []string) (kept []string, dropped []envfilter.Dropped) {
	rules := s.prepared.Resolved.Env()
	rules.Pass = append(slices.Clone(rules.Pass), s.prepared.socketVariables(environ)...)
	return envfilter.Filter(environ, envfilter.Rules{
		All: rules.Inherit == "all", Pass: rules.Pass, Set: rules.Set, FoldCase: s.prepared.Resolved.OS() == string(pathspec.Windows),
	})
}

// socketVariables returns the names of variables that say where a granted socket
// is: without them no program would find it.
func (p *Prepared) socketVariables(environ []string) []string {
	granted := p.Resolved.Network().Unix
	if len(granted) == 0 {
		return nil
	}
	var names []string
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		value = strings.TrimPrefix(value, "unix://")
		if rest, ok := strings.CutPrefix(value, "unix:path="); ok {
			value, _, _ = strings.Cut(rest, ",")
		}
		if !strings.HasPrefix(value, "/") {
			continue
		}
		if real, err := realPath(value); err == nil && slices.Contains(granted, real) {
			names = append(names, name)
		}
	}
	return names
}

// environ gives the environment of a command in dir that has none of its own.
func (s *Sandbox) environ(dir string) []string {
	env := s.base
	if dir != "" && dir != workingDir() {
		env = set(env, "PWD", dir)
	}
	return s.edited(env)
}

// edited applies the plan's changes to a copy of an environment, and those that
// name a proxy outside.
func (s *Sandbox) edited(env []string) []string {
	edits := slices.Concat(s.prepared.Plan.Env, s.outsideEnv)
	edited := make([]string, 0, len(env)+len(edits))
	for _, v := range env {
		name, _, set := strings.Cut(v, "=")
		if !set || !slices.ContainsFunc(edits, func(e plan.EnvEdit) bool { return e.Name == name }) {
			edited = append(edited, v)
		}
	}
	for i, e := range edits { // the last one of a name counts
		again := slices.ContainsFunc(edits[i+1:], func(later plan.EnvEdit) bool { return later.Name == e.Name })
		if !e.Unset && !again {
			edited = append(edited, e.Name+"="+e.Value)
		}
	}
	return edited
}

func set(env []string, name, value string) []string {
	return append(unset(env, name), name+"="+value)
}

func unset(env []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, name+"=") })
}

// workingDir is the real path of the current directory, not what PWD says; ""
// where there is none.
func workingDir() string {
	dir, err := syscall.Getwd()
	if err != nil {
		return ""
	}
	return dir
}

// dirOf gives the directory that a command starts in.
func (s *Sandbox) dirOf(dir string) (string, error) {
	system := pathspec.OS(s.prepared.Resolved.OS())
	if dir != "" {
		if !system.IsAbs(dir) {
			dir = system.Join(workingDir(), dir)
		}
		return dir, nil
	}
	if dir = workingDir(); dir != "" && system.IsAbs(dir) && s.prepared.visible(dir) {
		return dir, nil
	}
	return s.prepared.Resolved.Workspace()[0], nil
}

// Shows reports whether a directory of the host, by its absolute path, is the
// same directory inside, so that a command can start in it.
func (s *Sandbox) Shows(dir string) bool { return s.prepared.visible(dir) }

// visible reports whether a directory of the host is the same directory
// inside: the policy does not hide it, and no private mount takes its place.
func (p *Prepared) visible(dir string) bool {
	access, rule := p.Resolved.AccessTo(dir)
	if access == policy.Hidden {
		return false
	}
	system := pathspec.OS(p.Resolved.OS())
	if _, wrapped := p.Plan.Wrapped(); wrapped && rule.Path == "" {
		// What wrappers mount is not known; that temporary directories are the
		// sandbox's own is.
		_, private := p.Plan.Claims[guarantee.TmpPrivate]
		for _, tmp := range []string{"/tmp", "/var/tmp"} {
			if private && system.Within(tmp, dir) {
				return false
			}
		}
	}
	visible := true
	for _, step := range p.Plan.Steps {
		switch step := step.(type) {
		case plan.Private:
			visible = visible && !system.Within(step.Path, dir)
		case plan.Landlock:
			visible = visible && (!p.Plan.Fenced() || step.Allows(dir, "read_dir"))
		case plan.Seatbelt:
			visible = visible && step.PrivateOver(dir) == ""
		case plan.Cover:
			visible = visible && !system.Within(step.Path, dir)
		case plan.Devices:
			visible = visible && !system.Within("/dev", dir)
		case plan.Proc:
			visible = visible && !system.Within("/proc", dir)
		case plan.Bind:
			if system.Within(step.Path, dir) {
				visible = step.Source == "" || step.Source == step.Path
			}
		}
	}
	return visible
}
