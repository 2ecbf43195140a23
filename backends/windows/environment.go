// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"cmp"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// cacheVariables are the variables by which build tools are told where their
// cache is, each with its directory in the private store. What tools only read
// stays in place: GOMODCACHE, CARGO_HOME.
func cacheVariables() map[string]string {
	return map[string]string{
		"BUN_INSTALL_CACHE_DIR": "bun",
		"CCACHE_DIR":            "ccache",
		"COMPOSER_CACHE_DIR":    "composer",
		"DENO_DIR":              "deno",
		"GOCACHE":               "go-build",
		"GOLANGCI_LINT_CACHE":   "golangci-lint",
		"GRADLE_USER_HOME":      "gradle",
		"NUGET_HTTP_CACHE_PATH": "nuget-http",
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
// policy sets or passes by name stays as it says; names are compared without
// case, as the system does.
func environment(f Facts, r *policy.Resolved) []plan.EnvEdit {
	vars := map[string]string{"CAISSON": "1"}
	tmp := cmp.Or(r.Tmp(), f.Temp)
	vars["TEMP"], vars["TMP"] = tmp, tmp
	if store := r.CacheDir(); store != "" {
		for name, dir := range cacheVariables() {
			vars[name] = store + `\` + dir
		}
	}
	said := map[string]bool{}
	for name := range r.Env().Set {
		said[strings.ToLower(name)] = true
	}
	for _, name := range r.Env().Pass {
		said[strings.ToLower(name)] = true
	}
	var edits []plan.EnvEdit
	for name, value := range vars {
		if name == "CAISSON" || !said[strings.ToLower(name)] {
			edits = append(edits, plan.EnvEdit{Name: name, Value: value})
		}
	}
	slices.SortFunc(edits, func(a, b plan.EnvEdit) int { return cmp.Compare(a.Name, b.Name) })
	return edits
}
