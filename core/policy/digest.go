// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// MarshalJSON writes the canonical form: equal policies give equal bytes.
func (r *Resolved) MarshalJSON() ([]byte, error) { return strict.Canonical(r.data) }

// Digest is the SHA-256 of the canonical form, in hex. It names the policy in
// results and in the audit.
func (r *Resolved) Digest() (string, error) {
	text, err := r.MarshalJSON()
	if err != nil {
		return "", fmt.Errorf("digest of the policy: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// DecodeResolved reads the canonical form. What is unknown, malformed or not in
// the order of Rules is refused with the code plan-invalid.
func DecodeResolved(text []byte) (*Resolved, error) {
	node, err := strict.JSON("resolved policy", text, diag.PlanInvalid)
	if err != nil {
		return nil, err
	}
	r := &Resolved{}
	if err := strict.Decode(node, &r.data); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, diag.New(diag.PlanInvalid, "resolved policy: "+err.Error(), "")
	}
	return r, nil
}

// check refuses what Resolve never makes.
func (r *Resolved) check() error {
	if r.data.Format != resolvedFormat {
		return fmt.Errorf("format %d is unknown", r.data.Format)
	}
	os := pathspec.OS(r.data.OS)
	if os != pathspec.Linux && os != pathspec.Darwin && os != pathspec.Windows {
		return fmt.Errorf("system %q is unknown", r.data.OS)
	}
	if len(r.data.Workspace) == 0 {
		return fmt.Errorf("it has no workspace")
	}
	paths := append([]string{r.data.Home}, r.data.Workspace...)
	paths = append(paths, r.data.Own...)
	paths = append(paths, r.data.GitDirs...)
	paths = append(paths, r.data.Network.Unix...)
	for _, p := range []string{r.data.CacheDir, r.data.Tmp} {
		if p != "" {
			paths = append(paths, p)
		}
	}
	last := ""
	for i, rule := range r.data.Rules {
		paths = append(paths, rule.Path)
		key := sortKey(os, rule.Path)
		if i > 0 && strings.Compare(last, key) >= 0 {
			return fmt.Errorf("the rule on %s is out of order", diag.Quote(rule.Path))
		}
		last = key
		if err := rule.check(); err != nil {
			return fmt.Errorf("the rule on %s: %w", diag.Quote(rule.Path), err)
		}
	}
	for _, p := range paths {
		if os.Check(p) != nil || !os.IsAbs(p) || os.Clean(p) != p {
			return fmt.Errorf("%s is no clean absolute path", diag.Quote(p))
		}
	}
	return nil
}

func (r Rule) check() error {
	switch r.Kind {
	case KindDir, KindFile, KindSymlink, KindOther, KindAbsent:
	default:
		return fmt.Errorf("kind %q is unknown", r.Kind)
	}
	switch r.Hold {
	case HoldNone, HoldDir, HoldFile, HoldLink, HoldQuarantine, HoldReport:
	default:
		return fmt.Errorf("hold %q is unknown", r.Hold)
	}
	switch {
	case r.Access > Write:
		return fmt.Errorf("access %d is unknown", r.Access)
	case r.Hold != HoldNone && (r.Kind != KindAbsent || r.Access != Read):
		return fmt.Errorf("only an absent protected path is held")
	case r.Content != "" && r.Hold != HoldFile && r.Hold != HoldLink:
		return fmt.Errorf("only a held file or link has content")
	case r.Root && r.Access != Write:
		return fmt.Errorf("a root is writable")
	}
	return nil
}
