// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Explanation says what the policy means for one target. Read and Write are
// set for paths, Reach for hosts and sockets; the others are nil. Grant is the
// narrowest one that widens the answer, nil where none does; Remedy says how
// to go on, or why nothing helps.
type Explanation struct {
	Target string         `json:"target"`
	Read   *bool          `json:"read,omitempty"`
	Write  *bool          `json:"write,omitempty"`
	Reach  *bool          `json:"reach,omitempty"`
	Rule   policy.RuleRef `json:"rule"`
	Remedy string         `json:"remedy"`
	Grant  *diag.Grant    `json:"grant"`
}

// Explain says whether a target may be read, written or reached in the
// sandbox: PATH, net:HOST:PORT or unix:PATH. Relative paths are taken from the
// current directory, and symbolic links are followed as far as they lead.
func (s *Sandbox) Explain(target string) (Explanation, error) { return s.prepared.Explain(target) }

// Explain is as [Sandbox.Explain], before the sandbox is made.
func (p *Prepared) Explain(target string) (Explanation, error) {
	if address, ok := strings.CutPrefix(target, "net:"); ok {
		return p.explainNet(target, address)
	}
	if path, ok := strings.CutPrefix(target, "unix:"); ok {
		return p.explainUnix(target, path)
	}
	real, err := realPath(target)
	if err != nil {
		return Explanation{}, err
	}
	return p.explainReal(real), nil
}

// explainReal explains a path whose links are followed already.
func (p *Prepared) explainReal(real string) Explanation {
	return p.withPrivate(real, p.Resolved.Explain(real, policy.OSHost()))
}

// withPrivate takes into account that the sandbox has directories of its own in
// the place of some of the host's.
func (p *Prepared) withPrivate(real string, e policy.Explanation) Explanation {
	out := Explanation{Target: e.Target, Read: &e.Read, Write: &e.Write, Rule: e.Rule, Remedy: e.Remedy, Grant: e.Grant}
	if private := p.privateOver(real); e.Rule.Access != policy.Hidden.String() && private != "" {
		no := false
		out.Read, out.Write = &no, &no
		out.Rule = policy.RuleRef{Path: private, Access: policy.Hidden.String(), Origin: policy.Origin{File: "standard"}}
		out.Remedy = "commands have a private " + private + ", which begins empty and goes with the sandbox"
		if !strings.HasPrefix(private, "/dev/") {
			out.Remedy += "; a directory below it is shared once it is named with --write or --tmp"
		}
		if e.Grant != nil && e.Grant.Value == private {
			out.Grant = nil
		}
	}
	return out
}

// privateOver returns the private directory of the sandbox that takes the
// place of a path of the host, or "".
func (p *Prepared) privateOver(path string) string {
	if p.Plan == nil {
		return ""
	}
	system := pathspec.OS(p.Resolved.OS())
	over := ""
	for _, step := range p.Plan.Steps {
		switch step := step.(type) {
		case plan.Private:
			if system.Within(step.Path, path) {
				over = step.Path
			}
		case plan.Landlock:
			if p.Plan.Fenced() && !step.Allows(path, "read_file") {
				over = step.ExceptOver(path)
			}
		case plan.Seatbelt:
			over = step.PrivateOver(path)
		case plan.Bind:
			if system.Within(step.Path, path) {
				over = ""
				if step.Source != "" && step.Source != step.Path {
					over = step.Path
				}
			}
		}
	}
	return over
}

// realPath makes a path absolute and follows its links as far as it exists.
func realPath(path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", diag.New(diag.UsageInvalid, "the path to explain is empty or holds a NUL character", "")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("the path to explain: %w", err)
	}
	for range maxLinks {
		next, done := follow(path)
		if done {
			return next, nil
		}
		path = next
	}
	return path, nil
}

// maxLinks is how many links that lead nowhere one path may go through.
const maxLinks = 40

// follow gives the real path of what exists of path, with the rest added; or,
// where it ends at a link that leads nowhere, the path that the link means.
func follow(path string) (next string, done bool) {
	rest := ""
	for dir := path; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest), true
		}
		if link, err := os.Readlink(dir); err == nil {
			if !filepath.IsAbs(link) {
				link = filepath.Join(filepath.Dir(dir), link)
			}
			return filepath.Join(link, rest), false
		}
		if filepath.Dir(dir) == dir {
			return path, true
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

func (p *Prepared) explainUnix(target, path string) (Explanation, error) {
	real, err := realPath(path)
	if err != nil {
		return Explanation{}, err
	}
	n := p.Resolved.Network()
	reach := slices.Contains(n.Unix, real)
	e := Explanation{Target: target, Reach: &reach, Rule: policy.RuleRef{Path: real, Access: policy.Hidden.String(), Origin: policy.Origin{File: "standard"}}}
	if reach {
		e.Rule.Access, e.Rule.Origin.File = policy.Write.String(), "network.unix"
		return e, nil
	}
	e.Remedy = "sockets that the commands themselves listen on can be reached"
	if p.Resolved.Final("network.unix") {
		e.Remedy += "; the system policy makes network.unix final"
		return e, nil
	}
	g := diag.NewGrant(diag.GrantUnix, real)
	e.Grant, e.Remedy = &g, e.Remedy+"; allow this one of the host, with all that it lets its users do, with "+g.Flags()
	return e, nil
}
