// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"cmp"
	"path"
	"slices"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// cacheVariables are the variables by which build tools are told where their
// cache is, each with its directory in the private store. XDG_CACHE_HOME is
// not among them: browsers of test runners and models are read from there. So
// is what tools only read in place: GOMODCACHE, CARGO_HOME.
func cacheVariables() map[string]string {
	return map[string]string{
		"BUN_INSTALL_CACHE_DIR": "bun",
		"CCACHE_DIR":            "ccache",
		"COMPOSER_CACHE_DIR":    "composer",
		"DENO_DIR":              "deno",
		"GOCACHE":               "go-build",
		"GOLANGCI_LINT_CACHE":   "golangci-lint",
		"GRADLE_USER_HOME":      "gradle",
		"PIP_CACHE_DIR":         "pip",
		"SCCACHE_DIR":           "sccache",
		"STATICCHECK_CACHE":     "staticcheck",
		"UV_CACHE_DIR":          "uv",
		"YARN_CACHE_FOLDER":     "yarn",
		"ZIG_GLOBAL_CACHE_DIR":  "zig",
		"npm_config_cache":      "npm",
	}
}

// environment returns the edits of the commands' variables, sorted. What the
// policy sets or passes by name stays as it says.
func environment(f Facts, r *policy.Resolved) []plan.EnvEdit {
	vars := map[string]string{}
	if tmp := cmp.Or(r.Tmp(), f.slashTmp()); tmp != "" {
		vars["TMPDIR"], vars["TMP"], vars["TEMP"] = tmp, tmp, tmp
	}
	if store := r.CacheDir(); store != "" {
		for name, dir := range cacheVariables() {
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
