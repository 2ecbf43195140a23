// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// proof says what is tried inside where the plan has wrappers: what the policy
// allows and what it does not.
func (p *Prepared) proof() launch.Proof {
	var temporary []string
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			temporary = append(temporary, real)
		}
	}
	return proofOf(p.Resolved, temporary)
}

// proofOf leaves out what lies below a temporary directory: inside, that is the
// sandbox's own, so what can be done there says nothing of the host's. The
// directories above the workspace come last: the trial can be seen there.
func proofOf(r *policy.Resolved, temporary []string) launch.Proof {
	proof := launch.Proof{Offline: r.Network().Mode != policy.Online}
	candidates := append([]string{r.Home()}, r.Own()...)
	for _, rule := range r.Rules() {
		if rule.Access != policy.Write || rule.Kind != policy.KindDir {
			continue
		}
		if proof.Writable == "" {
			proof.Writable = rule.Path
		}
		if rule.Root {
			proof.Writable = rule.Path
			for dir := path.Dir(rule.Path); len(dir) > 1; dir = path.Dir(dir) { // "/", or "." on Windows
				candidates = append(candidates, dir)
			}
			break
		}
	}
	for _, dir := range candidates {
		access, _ := r.AccessTo(dir)
		own := slices.ContainsFunc(temporary, func(t string) bool { return dir == t || strings.HasPrefix(dir, t+"/") })
		if access != policy.Write && !own && !slices.Contains(proof.Forbidden, dir) {
			proof.Forbidden = append(proof.Forbidden, dir)
		}
	}
	return proof
}
