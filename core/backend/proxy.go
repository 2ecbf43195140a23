// SPDX-License-Identifier: Apache-2.0

package backend

import "strconv"

// ProxyPort is the port of the loopback inside at which the proxy of the mode
// allowlist listens, where a sandbox has a loopback of its own. It lies beyond
// those that systems hand out and that servers are known by.
const ProxyPort = 61080

// ProxyUser is the name that goes with the password of a [Proxy].
const ProxyUser = "caisson"

// Proxy is where commands find the proxy of the mode allowlist. The zero value
// is none.
type Proxy struct {
	Port int // of the loopback
	// Password is what the proxy asks for, with the name [ProxyUser]: letters and
	// digits, as it becomes part of addresses. Empty is none, where only commands
	// of the sandbox can reach the port.
	Password string
}

// gitConfig begins the variables that give git a list of settings.
const gitConfig = "GIT_CONFIG_"

// ProxyVariables are the variables by which programs find a proxy: those that
// most read, in both cases, and what overrides the proxy in a tool's own configuration, which would lead to
// one that cannot be reached. SOCKS5 is there at the same port and in no
// variable: programs that cannot speak it fail at its sight.
func ProxyVariables(p Proxy) map[string]string {
	host, number := "127.0.0.1", strconv.Itoa(p.Port)
	java := "-Dhttp.proxyHost=" + host + " -Dhttp.proxyPort=" + number +
		" -Dhttps.proxyHost=" + host + " -Dhttps.proxyPort=" + number + " -Dhttp.nonProxyHosts=localhost|127.*|[::1]"
	login := ""
	if p.Password != "" {
		login = ProxyUser + ":" + p.Password + "@"
		for _, scheme := range []string{"http", "https"} { // read by build tools, not by the JVM itself
			java += " -D" + scheme + ".proxyUser=" + ProxyUser + " -D" + scheme + ".proxyPassword=" + p.Password
		}
	}
	url := "http://" + login + host + ":" + number
	vars := map[string]string{
		"NO_PROXY": "localhost,127.0.0.1,::1",
		"no_proxy": "localhost,127.0.0.1,::1",

		"NODE_USE_ENV_PROXY": "1", // from Node 22.21 on
		"JAVA_TOOL_OPTIONS":  java,

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
