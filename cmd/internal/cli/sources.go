// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// policy merges the files with what the flags say.
func (f *flags) policy(stdin io.Reader) (policy.Policy, []diag.Diagnostic, error) {
	said, err := f.said()
	if err != nil {
		return policy.Policy{}, nil, err
	}
	sources, err := policy.DefaultSources()
	if err != nil {
		return policy.Policy{}, nil, diag.New(diag.WorkspaceInvalid, "the current directory cannot be told: "+cause(err).Error(), "change to one that exists")
	}
	sources.PolicyFile, sources.Stdin, sources.Flags = f.policyFile, stdin, said
	sources.ProjectFiles = !f.noProject
	return sources.Load()
}

// said is the policy of the flags alone.
func (f *flags) said() (policy.Policy, error) {
	p := policy.Policy{Version: policy.Version, WorkspaceAnyway: f.anyway, Tmp: f.tmp}
	var err error
	set := func(flag, setting string, values ...string) {
		for _, v := range values {
			if err == nil {
				p, err = p.WithFlag(flag, setting, v)
			}
		}
	}
	set("--audit", "audit", f.audit...) // first, as a refusal for another flag is noted there
	if f.changed("tmp") && f.tmp == "" {
		return p, diag.New(diag.UsageInvalid, "--tmp: no directory is named", "")
	}
	for _, w := range f.workspace {
		if w == "" {
			return p, diag.New(diag.WorkspaceInvalid, "--workspace: no directory is named", "name one with -w DIR")
		}
	}
	if f.net == string(policy.Offline) && len(f.allowHost) > 0 {
		return p, diag.New(diag.UsageInvalid, "--allow-host and --net offline exclude each other", "leave one of them out")
	}
	one := func(flag, setting, value string) {
		if f.changed(flag) {
			set("--"+flag, setting, value)
		}
	}
	set("--workspace", "workspace", f.workspace...)
	if f.readOnly {
		set("--read-only", "extends", "read-only")
	}
	set("--write", "files.write", f.write...)
	set("--protect", "files.protect", f.protect...)
	set("--unprotect", "files.unprotect", f.unprotect...)
	set("--hide", "files.hide", f.hide...)
	set("--show", "files.show", f.show...)
	one("net", "network.mode", f.net)
	if len(f.allowHost) > 0 && f.net == "" {
		set("--allow-host", "network.mode", string(policy.Allowlist))
	}
	set("--allow-host", "network.allow", f.allowHost...)
	set("--allow-loopback", "network.loopback", f.loopback...)
	set("--publish", "network.publish", f.publish...)
	set("--allow-unix", "network.unix", f.unix...)
	for _, v := range f.env {
		if strings.Contains(v, "=") {
			set("--env", "env.set", v)
		} else {
			set("--env", "env.pass", v)
		}
	}
	one("env-inherit", "env.inherit", f.envInherit)
	set("--require", "require", f.require...)
	if f.trace {
		set("--trace-denials", "require", string(guarantee.DenialsReported))
	}
	set("--allow-weaker", "allow-weaker", f.weaker...)
	one("timeout", "limits.time", f.timeout)
	one("memory", "limits.memory", f.memory)
	one("processes", "limits.processes", f.processes)
	return p, err
}

// namedRoots are the writable directories that the flags name, made real as
// far as they can be. They stand for the policy's where that was refused.
func (f *flags) namedRoots() []string {
	named := append(append([]string{}, f.workspace...), f.write...)
	if len(f.workspace) == 0 {
		named = append(named, ".")
	}
	if f.tmp != "" {
		named = append(named, f.tmp)
	}
	var roots []string
	for _, name := range named {
		path, err := filepath.Abs(name)
		if err != nil {
			continue
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		roots = append(roots, path)
	}
	return roots
}

// within reports whether a path of this system is dir or lies below it.
func within(dir, path string) bool { return pathspec.OS(policy.OSHost().OS()).Within(dir, path) }
