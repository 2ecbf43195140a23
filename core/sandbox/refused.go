// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caisson-sandbox/caisson/core/audit"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/outfile"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// NoteRefusal notes in the audit files of a policy that a sandbox was refused
// and nothing was started, and returns the refusal. [Open] and [Prepared.Open]
// do so by themselves; it is for who calls [Prepare] in order to open what is
// prepared, or refuses before that. Of a policy that is not known, because it
// could not be read, the zero value stands for the system's alone.
//
// The policy may be one that cannot be resolved. Where a file cannot be written
// the error says that too.
func NoteRefusal(p policy.Policy, o *Options, refusal error) error {
	if o == nil {
		o = &Options{}
	}
	if refusal == nil || o.Host != nil { // what is for another machine starts nothing here
		return refusal
	}
	err := noteRefusal(p, o, refusal)
	if d, ok := errors.AsType[*diag.Diagnostic](refusal); ok && d.Code == diag.AuditFailed {
		return refusal // which says it already
	}
	if err != nil {
		return fmt.Errorf("%w; it is not noted: %w", refusal, err)
	}
	return refusal
}

func noteRefusal(p policy.Policy, o *Options, refusal error) error {
	if p.Version == 0 {
		p.Version = policy.Version
	}
	sources, err := policy.DefaultSources()
	if err != nil {
		return fmt.Errorf("find the policy of this system: %w", err)
	}
	under, err := sources.UnderSystem(p)
	whole := err == nil
	if !whole { // p is refused itself: what it names is obeyed all the same
		under, err = sources.UnderSystem(policy.Policy{Version: policy.Version, Workspace: p.Workspace, Files: policy.Files{Write: p.Files.Write}, Audit: p.Audit})
	}
	if err != nil {
		return nil // what the system says is what could not be read, and the refusal says so
	}
	host := policy.OSHost()
	files := under.NamedPaths(host, "audit")
	if len(files) == 0 {
		return nil
	}
	r := audit.Record{Event: audit.Refused, Caisson: ownVersion(), Reason: audit.Text(o.Reason), Workspace: []string{}, Claims: []string{}, Weakened: []string{}}
	r.User, r.Command, r.Refusal = auditUser(), commandOf(o.For), refusalOf(refusal)
	// Where it could not be read, what is known of the policy is no policy.
	whole = whole && r.Refusal.Code != string(diag.PolicyInvalid) && r.Refusal.Code != string(diag.UsageInvalid)
	work, root := under.NamedPaths(host, "workspace"), namedRoots(under, host)
	if resolved, _, err := under.Resolve(host); whole && err == nil {
		if r.PolicyDigest, err = resolved.Digest(); err != nil {
			return err
		}
		work, root = resolved.Workspace(), func(path string) string { return outfile.WritableRoot(resolved, path) }
	}
	for _, dir := range work {
		r.Workspace = append(r.Workspace, audit.Text(dir))
	}
	a := &auditor{}
	defer a.closeLogs()
	var failed error
	for _, file := range files {
		log, err := audit.Open(file, host.OwnDirs().State, root)
		if err != nil {
			failed = cmpErr(failed, auditError(file, err))
			continue
		}
		a.logs = append(a.logs, log)
	}
	return cmpErr(failed, a.note(r))
}

// namedRoots finds the directory that commands would write among those that a
// policy names which cannot be resolved. One that holds caisson's own files, as /
// and a home do, is refused always: no command ever wrote there.
func namedRoots(p policy.Policy, h policy.Host) func(string) string {
	var roots []string
	system := pathspec.OS(h.OS())
	own, _ := policy.FollowLinks(h, h.OwnDirs().State)
	for _, setting := range []string{"workspace", "files.write"} {
		for _, dir := range p.NamedPaths(h, setting) {
			if real, _ := policy.FollowLinks(h, dir); !system.Within(real, own) {
				roots = append(roots, real)
			}
		}
	}
	return func(path string) string {
		if i := slices.IndexFunc(roots, func(dir string) bool { return system.Within(dir, path) }); i >= 0 {
			return roots[i]
		}
		return ""
	}
}

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// commandOf describes a command, if there is one.
func commandOf(args []string) audit.Command {
	if len(args) == 0 {
		return audit.Command{}
	}
	return audit.NewCommand(args)
}

func refusalOf(err error) *audit.Refusal {
	r := &audit.Refusal{Message: audit.Text(err.Error())}
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		r.Code = string(d.Code)
	}
	if unmet, ok := errors.AsType[*Refusal](err); ok {
		for _, u := range unmet.Unmet {
			r.Unmet = append(r.Unmet, string(u.ID))
		}
	}
	slices.Sort(r.Unmet)
	return r
}

// refused notes a command that an open sandbox did not take.
func (a *auditor) refused(args []string, err error) error {
	if a == nil {
		return nil
	}
	r := a.common
	r.Event, r.Command, r.Refusal = audit.Refused, commandOf(args), refusalOf(err)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.logs == nil {
		return nil // the sandbox is closed, and its records are complete
	}
	return a.note(r)
}
