// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"encoding/json"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// TestEnvironment: every tool's cache lies in the private store, but for what
// the policy says itself; without a store or a temporary directory none is named.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		os, home, ws, store, tmp string
		proxy                    Proxy
		set                      map[string]string
		pass                     []string
		want, missing            map[string]string
	}{
		{
			os: "linux", home: "/home/u", ws: "/home/u/w", store: "/s", tmp: "/tmp", set: map[string]string{"TMP": "/x", "gocache": "/y"}, pass: []string{"DENO_DIR"},
			want:    map[string]string{"CAISSON": "1", "GOCACHE": "/s/go-build", "npm_config_cache": "/s/npm", "TMPDIR": "/tmp", "TEMP": "/tmp"},
			missing: map[string]string{"TMP": "", "DENO_DIR": ""},
		},
		{
			os: "linux", home: "/home/u", ws: "/home/u/w", proxy: Proxy{Port: 9}, set: map[string]string{"GIT_CONFIG_COUNT": "0"}, pass: []string{"ALL_PROXY"},
			want:    map[string]string{"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "localhost,127.0.0.1,::1", "PIP_PROXY": "http://127.0.0.1:9"},
			missing: map[string]string{"ALL_PROXY": "", "GIT_CONFIG_COUNT": "", "GIT_CONFIG_KEY_0": "", "GIT_CONFIG_VALUE_0": ""},
		},
		{
			os: "windows", proxy: Proxy{Port: 8}, home: `C:\Users\u`, ws: `C:\Users\u\w`, store: `C:\s`, tmp: `C:\t`, set: map[string]string{"tmp": "x"}, pass: []string{"Gocache"},
			want:    map[string]string{"CAISSON": "1", "npm_config_cache": `C:\s\npm`, "TEMP": `C:\t`, "HTTPS_PROXY": "http://127.0.0.1:8", "GIT_CONFIG_COUNT": "1"},
			missing: map[string]string{"TMP": "", "GOCACHE": "", "TMPDIR": "", "https_proxy": ""},
		},
		{
			os: "darwin", home: "/Users/u", ws: "/Users/u/w", set: map[string]string{}, pass: []string{},
			want:    map[string]string{"CAISSON": "1"},
			missing: map[string]string{"TMPDIR": "", "HTTPS_PROXY": "", "GOCACHE": "", "PIP_CACHE_DIR": ""},
		},
		{
			os: "darwin", home: "/Users/u", ws: "/Users/u/w", proxy: Proxy{Port: 7, Password: "p4"}, set: map[string]string{"http_proxy": "x"}, pass: []string{},
			want: map[string]string{
				"HTTPS_PROXY": "http://caisson:p4@127.0.0.1:7", "GIT_CONFIG_VALUE_0": "http://caisson:p4@127.0.0.1:7", "npm_config_proxy": "http://caisson:p4@127.0.0.1:7",
				"NO_PROXY": "localhost,127.0.0.1,::1", "JAVA_TOOL_OPTIONS": "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=7 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=7" +
					" -Dhttp.nonProxyHosts=localhost|127.*|[::1] -Dhttp.proxyUser=caisson -Dhttp.proxyPassword=p4 -Dhttps.proxyUser=caisson -Dhttps.proxyPassword=p4",
			},
			missing: map[string]string{"http_proxy": ""},
		},
	} {
		text, err := json.Marshal(map[string]any{
			"format": 1, "os": c.os, "home": c.home, "workspace": []string{c.ws},
			"rules":   []policy.Rule{{Path: c.ws, Access: policy.Write, Kind: policy.KindDir, Root: true, Origin: policy.Origin{File: "standard"}}},
			"network": map[string]any{"mode": "offline"}, "cache_dir": c.store,
			"env": map[string]any{"inherit": "clean", "set": c.set, "pass": c.pass},
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := policy.DecodeResolved(text)
		if err != nil {
			t.Fatal(err)
		}
		got, before := map[string]string{}, ""
		for _, e := range Environment(r, c.tmp, c.proxy) {
			if got[e.Name] = e.Value; e.Unset || e.Name <= before {
				t.Errorf("%s: %+v after %s", c.os, e, before)
			}
			before = e.Name
		}
		for name, value := range c.want {
			if got[name] != value {
				t.Errorf("%s: %s is %q, want %q", c.os, name, got[name], value)
			}
		}
		for name := range c.missing {
			if value, there := got[name]; there {
				t.Errorf("%s: %s is %q", c.os, name, value)
			}
		}
	}
}
