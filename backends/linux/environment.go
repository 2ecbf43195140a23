// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"cmp"
	"path"
	"slices"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// environment returns the edits of the commands' variables, sorted. What the
// policy sets or passes by name stays as it says.
func environment(f Facts, r *policy.Resolved) []plan.EnvEdit {
	vars := map[string]string{}
	if tmp := cmp.Or(r.Tmp(), f.slashTmp()); tmp != "" {
		vars["TMPDIR"], vars["TMP"], vars["TEMP"] = tmp, tmp, tmp
	}
	if store := r.CacheDir(); store != "" {
		for name, dir := range backend.CacheVariables() {
			vars[name] = path.Join(store, dir)
		}
	}
	edits := []plan.EnvEdit{{Name: "CAISSON", Value: "1"}}
	for name, value := range vars {
		if _, set := r.Env().Set[name]; !set && !slices.Contains(r.Env().Pass, name) {
			edits = append(edits, plan.EnvEdit{Name: name, Value: value})
		}
	}
	slices.SortFunc(edits, func(a, b plan.EnvEdit) int { return cmp.Compare(a.Name, b.Name) })
	return edits
}

// slashTmp is the real directory that /tmp means, or the other temporary
// directory where there is no /tmp, or empty.
func (f *Facts) slashTmp() string {
	if len(f.Temp) == 0 {
		return ""
	}
	return f.Temp[0]
}
