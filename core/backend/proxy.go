// SPDX-License-Identifier: Apache-2.0

package backend

import "strconv"

// ProxyPort is the port of the loopback inside at which the proxy of the mode
// allowlist listens, where a sandbox has a loopback of its own. It lies beyond
// those that systems hand out and that servers are known by.
const ProxyPort = 61080

// gitConfig begins the variables that give git a list of settings.
const gitConfig = "GIT_CONFIG_"

// ProxyVariables are the variables by which programs find the proxy of the mode
// allowlist at a port of the loopback: those that most read, in both cases, and
// what overrides the proxy in a tool's own configuration, which would lead to
// one that cannot be reached. SOCKS5 is there at the same port and in no
// variable: programs that cannot speak it fail at its sight.
func ProxyVariables(port int) map[string]string {
	host, number := "127.0.0.1", strconv.Itoa(port)
	url := "http://" + host + ":" + number
	vars := map[string]string{
		"NO_PROXY": "localhost,127.0.0.1,::1",
		"no_proxy": "localhost,127.0.0.1,::1",

		"NODE_USE_ENV_PROXY": "1", // from Node 22.21 on
		"JAVA_TOOL_OPTIONS": "-Dhttp.proxyHost=" + host + " -Dhttp.proxyPort=" + number +
			" -Dhttps.proxyHost=" + host + " -Dhttps.proxyPort=" + number + " -Dhttp.nonProxyHosts=localhost|127.*|[::1]",

		// See git-config(1).
		gitConfig + "COUNT": "1", gitConfig + "KEY_0": "http.proxy", gitConfig + "VALUE_0": url,
	}
	for _, name := range []string{
		"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy",
		"npm_config_proxy", "npm_config_https_proxy", "PIP_PROXY", "CARGO_HTTP_PROXY",
	} {
		vars[name] = url
	}
	return vars
}
