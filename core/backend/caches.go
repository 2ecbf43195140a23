// SPDX-License-Identifier: Apache-2.0

package backend

// CacheVariables are the variables by which build tools are told where their
// cache is, each with its directory in the private store, on every system. XDG_CACHE_HOME is
// not among them: browsers of test runners and models are read from there. So
// is what tools only read in place: GOMODCACHE, CARGO_HOME.
func CacheVariables() map[string]string {
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
