// SPDX-License-Identifier: Apache-2.0

// Package outfile opens the files that caisson writes for its caller while
// commands run: results and audit logs. A command that may write where such a
// file lies, or a link on the way to it, would choose what caisson overwrites.
package outfile

import (
	"fmt"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Outside returns the check of [Open] that refuses what root says lies in a
// writable directory: root returns that directory, or "".
func Outside(root func(path string) string) func(real string, links []string) error {
	return func(real string, links []string) error {
		for _, link := range links {
			if dir := root(link); dir != "" {
				return fmt.Errorf("it leads through the link %s in %s, which the command may write", diag.Quote(link), diag.Quote(dir))
			}
		}
		if dir := root(real); dir != "" {
			return fmt.Errorf("it lies in %s, which the command may write", diag.Quote(dir))
		}
		return nil
	}
}

// WritableRoot returns the directory that a policy lets commands write and that
// holds a real path, or "".
func WritableRoot(r *policy.Resolved, path string) string {
	if access, rule := r.AccessTo(path); access == policy.Write {
		return rule.Path
	}
	os := pathspec.OS(r.OS())
	for _, rule := range r.Rules() {
		if rule.Root && os.Within(rule.Path, path) {
			return rule.Path
		}
	}
	return ""
}
