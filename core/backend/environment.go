// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"cmp"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// cacheVariables are the variables by which build tools are told where their
// cache is, each with its directory in the private store, on every system.
// XDG_CACHE_HOME is not among them: browsers of test runners and models are
// read from there. So is what tools only read in place: GOMODCACHE, CARGO_HOME.
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

// Environment returns the edits of the commands' variables that every backend
// makes, sorted: CAISSON, the tools' private caches where the policy has a store,
// the variables of temporary directories where tmp is not empty, and those of the
// proxy where there is one. What the policy sets or
// passes by name stays as it says.
func Environment(r *policy.Resolved, tmp string, proxy Proxy) []plan.EnvEdit {
	slash, temporary, name := "/", []string{"TMPDIR", "TMP", "TEMP"}, func(s string) string { return s }
	if r.OS() == "windows" { // which compares names without case
		slash, temporary, name = `\`, []string{"TEMP", "TMP"}, strings.ToLower
	}
	vars := map[string]string{}
	if tmp != "" {
		for _, n := range temporary {
			vars[n] = tmp
		}
	}
	if store := r.CacheDir(); store != "" {
		for n, dir := range cacheVariables() {
			vars[n] = store + slash + dir
		}
	}
	said := map[string]bool{}
	for n := range r.Env().Set {
		said[name(n)] = true
	}
	for _, n := range r.Env().Pass {
		said[name(n)] = true
	}
	if proxy.Port != 0 {
		both := ProxyVariables(proxy)
		for n, value := range both {
			upper := strings.ToUpper(n)
			if _, twice := both[upper]; r.OS() != "windows" || n == upper || !twice {
				vars[n] = value
			}
		}
	}
	edits := []plan.EnvEdit{{Name: "CAISSON", Value: "1"}}
	for n, value := range vars {
		list := strings.HasPrefix(n, gitConfig) && said[name(gitConfig+"COUNT")] // they are one
		if !said[name(n)] && !list {
			edits = append(edits, plan.EnvEdit{Name: n, Value: value})
		}
	}
	slices.SortFunc(edits, func(a, b plan.EnvEdit) int { return cmp.Compare(a.Name, b.Name) })
	return edits
}
