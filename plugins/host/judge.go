// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/envfilter"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// judge compares a plan with the policy that it is for, as far as that can be
// done before anything is made. It also fills in the hashes of programs.
//
// What it cannot see is what a wrapper does with its arguments: there the
// launcher's last stage has the word, which tries.
func (p *Plugin) judge(made *plan.Plan, r *policy.Resolved) error {
	if made.Backend != p.info.Name {
		return refused("the plan is of %s", diag.Quote(made.Backend))
	}
	if made.OS != r.OS() || made.Arch != runtime.GOARCH {
		return refused("the plan is for %s/%s", diag.Quote(made.OS), diag.Quote(made.Arch))
	}
	if err := p.judgeClaims(made); err != nil {
		return err
	}
	if err := judgeWords(made); err != nil {
		return err
	}
	if err := judgeEnv(made, r); err != nil {
		return err
	}
	if err := judgeOutside(made, r); err != nil {
		return err
	}
	if wrap, ok := made.Wrapped(); ok {
		return p.judgePrograms(made, wrap, r)
	}
	if made.Windows != nil {
		return judgeWindows(made, r)
	}
	return judgeSteps(made, r)
}

func refused(format string, args ...any) error {
	return diag.New(diag.PlanInvalid, fmt.Sprintf(format, args...), "")
}

// judgeClaims: no plan claims what no report of this plugin offered.
func (p *Plugin) judgeClaims(made *plan.Plan) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, report := range p.reports {
		if len(made.Claims.Within(report.Offers)) == 0 {
			return nil
		}
	}
	if len(made.Claims) == 0 {
		return nil
	}
	beyond := made.Claims.IDs()
	if n := len(p.reports); n > 0 {
		beyond = made.Claims.Within(p.reports[n-1].Offers)
	}
	return refused("the plan claims %s, which the plugin does not offer on this host", beyond[0])
}

// judgeWords refuses text for people that could drive their terminal.
func judgeWords(made *plan.Plan) error {
	plain := func(words ...string) bool {
		return !slices.ContainsFunc(words, func(s string) bool { return !backend.IsSentence(s) })
	}
	for id, c := range made.Claims {
		if !plain(c.Note) {
			return refused("the note of %s is no plain sentence", id)
		}
	}
	for i := range made.Unmet {
		if u := &made.Unmet[i]; !plain(u.Reason, u.Remedy) {
			return refused("what the plan says of %s is no plain sentence", u.ID)
		} else if u.Grant != nil {
			grant := diag.NewGrant(diag.GrantWeaker, string(u.ID))
			u.Grant = &grant // the only one that there can be
		}
	}
	for i := range made.Notes {
		n := &made.Notes[i]
		if !plain(n.Message, n.Remedy) || n.Message == "" {
			return refused("a note of the plan is no plain sentence")
		}
		known := slices.ContainsFunc(diag.Codes(), func(c diag.CodeInfo) bool { return c.Code == n.Code && !c.Refusal })
		if !known {
			return refused("a note of the plan has the unknown code %s", diag.Quote(string(n.Code)))
		}
		n.Grant = nil // what widens a policy is for caisson to say
	}
	return nil
}

// judgeEnv refuses edits of variables that decide which code programs run and
// for whom, and of those that the policy sets or passes by name.
func judgeEnv(made *plan.Plan, r *policy.Resolved) error {
	protected := []string{"PATH", "HOME", "SHELL", "USER", "LOGNAME", "PWD", "IFS", "TERM"}
	for _, e := range made.Env {
		name := e.Name
		_, dropped := envfilter.Filter([]string{name + "=" + e.Value}, envfilter.Rules{FoldCase: r.OS() == "windows"})
		_, set := r.Env().Set[name]
		switch {
		case slices.Contains(protected, strings.ToUpper(name)), len(dropped) > 0 && !e.Unset && !ofProxy(e, made, r):
			return refused("the plan changes the variable %s, which it may not", diag.Quote(name))
		case set || slices.Contains(r.Env().Pass, name):
			return refused("the plan changes the variable %s, which the policy sets", diag.Quote(name))
		}
	}
	return nil
}

// judgePrograms: what is executed outside is part of the operating system, the
// plugin itself, or trusted with it, and no command can write to it.
func (p *Plugin) judgePrograms(made *plan.Plan, wrap plan.Wrap, r *policy.Resolved) error {
	for i, program := range wrap.Programs {
		if writable(r, program.Path) {
			return diag.New(diag.PluginUnsafe, "the plan has "+diag.Quote(program.Path)+" executed, which lies in a writable root", "")
		}
		if program.SHA256 != "" {
			return refused("the plan gives a hash, which is for caisson to take")
		}
		open, err := registry.Open(program.Path)
		if err != nil {
			return diag.New(diag.PluginUnsafe, "the plan has "+diag.Quote(program.Path)+" executed, which cannot be: "+err.Error(), "")
		}
		open.Close()
		known := p.plugin.Trust.Programs[open.Path]
		switch {
		case open.Path != program.Path:
			return diag.New(diag.PluginUnsafe, "the plan has "+diag.Quote(program.Path)+" executed, which is "+diag.Quote(open.Path)+" in truth", "")
		case writable(r, open.Path):
			return diag.New(diag.PluginUnsafe, "the plan has "+diag.Quote(open.Path)+" executed, which lies in a writable root", "")
		case open.Path == p.plugin.Path:
			known = p.plugin.Trust.SHA256
		case known == "" && ofSystem(open.Path):
			continue
		case known == "":
			return diag.New(diag.PluginUnsafe, "the plan has "+diag.Quote(open.Path)+" executed, which is no part of the operating system and was not trusted with the plugin",
				"trust it with: caisson plugin trust --program "+diag.Quote(open.Path)+" "+diag.Quote(p.plugin.Name))
		}
		if known != open.SHA256 {
			return diag.New(diag.PluginUnsafe, "the plan has "+diag.Quote(open.Path)+" executed, which is not what it was when it was trusted", "")
		}
		wrap.Programs[i].SHA256 = known // shared with the step in the plan
	}
	return nil
}

func writable(r *policy.Resolved, name string) bool {
	access, _ := r.AccessTo(name)
	return access == policy.Write
}

// judgeSteps compares the steps of the launcher's own sandbox with the policy:
// nothing is writable that the policy does not make so, what it hides is
// covered, what it protects is mounted over, and a claim has the step that it
// rests on.
func judgeSteps(made *plan.Plan, r *policy.Resolved) error {
	if len(made.Steps) == 0 {
		if len(made.Claims) > 0 {
			return refused("the plan has no step and claims %s", made.Claims.IDs()[0])
		}
		return nil // nothing can be made of it; it says what is unmet
	}
	var covered, protected []string
	kinds := map[string]bool{}
	for _, s := range made.Steps {
		kinds[s.Name()] = true
		switch st := s.(type) {
		case plan.Namespaces:
			for _, k := range st.Kinds {
				kinds["namespace "+k] = true
			}
		case plan.Bind:
			source := st.Path
			if st.Source != "" {
				source = st.Source
			}
			if st.Access == "write" && !writable(r, source) {
				return refused("the plan makes %s writable, which the policy does not", diag.Quote(source))
			}
			if access, _ := r.AccessTo(source); access == policy.Hidden && !parentOfShown(r, source) {
				return refused("the plan shows %s, which the policy hides", diag.Quote(source))
			}
			if st.Access == "read" {
				protected = append(protected, st.Path)
			}
		case plan.Cover:
			covered = append(covered, st.Path)
		case plan.Private:
			covered = append(covered, st.Path)
		case plan.Devices:
			covered = append(covered, "/dev")
		case plan.Proc:
			covered = append(covered, "/proc")
		case plan.Hold:
			protected = append(protected, st.Path)
		case plan.Egress:
			if err := judgeEgress(st, r.Network()); err != nil {
				return err
			}
		case plan.Watch:
			protected = append(append(protected, st.Quarantine...), st.Report...)
		}
	}
	for _, rule := range r.Rules() {
		switch {
		case rule.Access == policy.Hidden && rule.Kind != policy.KindAbsent && !below(covered, rule.Path):
			return refused("the plan does not cover %s, which the policy hides", diag.Quote(rule.Path))
		case rule.Access == policy.Read && writable(r, path.Dir(rule.Path)) && !below(append(covered, protected...), rule.Path):
			return refused("the plan does not protect %s", diag.Quote(rule.Path))
		}
	}
	for id, needs := range claimSteps() {
		if _, claimed := made.Claims[id]; !claimed {
			continue
		}
		for _, need := range needs {
			if !kinds[need] {
				return refused("the plan claims %s without the step %s", id, need)
			}
		}
	}
	return nil
}

// claimSteps are the steps without which a claim cannot be true.
func claimSteps() map[guarantee.ID][]string {
	return map[guarantee.ID][]string{
		guarantee.WriteConfined:      {"namespace mount", "read-only-root"},
		guarantee.WriteProtected:     {"read-only-root"},
		guarantee.TmpPrivate:         {"scratch"},
		guarantee.DeviceDenied:       {"devices"},
		guarantee.NetOffline:         {"namespace net"},
		guarantee.NetAllowlist:       {"namespace net", "egress"},
		guarantee.UnixConfined:       {"seccomp"},
		guarantee.OutsideUntouchable: {"namespace pid"},
		guarantee.OutsideHidden:      {"namespace pid", "proc"},
		guarantee.TreeKilled:         {"namespace pid"},
		guarantee.NoPrivs:            {"privileges"},
		guarantee.IPCConfined:        {"namespace ipc"},
		guarantee.TTYNoInject:        {"seccomp"},
		guarantee.KernelSurface:      {"seccomp"},
		guarantee.LimitProcesses:     {"limits"},
		guarantee.LimitMemory:        {"limits"},
	}
}

// below reports whether one of the directories is or holds the path.
func below(dirs []string, name string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/") })
}

// parentOfShown reports whether something below a hidden path is shown again.
func parentOfShown(r *policy.Resolved, name string) bool {
	return slices.ContainsFunc(r.Rules(), func(rule policy.Rule) bool {
		return rule.Access != policy.Hidden && strings.HasPrefix(rule.Path, name+"/")
	})
}
