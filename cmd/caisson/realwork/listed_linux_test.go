// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dialer connects by the proxy that the environment names, with the means that
// every Node has: those before 22.21 read no variable.
const dialer = `
const http = require('http'), tls = require('tls'), target = process.argv[2], path = process.argv[3]
const proxy = new URL(process.env.HTTPS_PROXY)
http.request({host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: target + ':443'}).on('connect', (res, socket) => {
  if (res.statusCode != 200) { console.error('status', res.statusCode); process.exit(1) }
  const c = tls.connect({socket, servername: target}, () => c.write('GET ' + path + ' HTTP/1.1\r\nHost: ' + target + '\r\nConnection: close\r\n\r\n'))
  let all = ''
  c.on('data', d => all += d).on('end', () => { console.log(all); process.exit(all.startsWith('HTTP/1.1 200') ? 0 : 1) })
}).on('error', e => { console.error(e.message); process.exit(1) }).end()
`

// listedWork is work of one program: what is done with what the list allows, and
// what comes to nothing, by a host that is not listed, denied, or one that a
// listed host leads to. NAMES are those that the way outside is asked for.
type listedWork struct {
	program string
	good    []string
	bad     map[string]string
}

func listedWorks() []listedWork {
	npm := "npm --loglevel=error --fetch-retries=0 --registry=https://%/npm/ install --no-audit --no-fund --cache \"$(mktemp -d)\" "
	pip := "python3 -m pip install -q --disable-pip-version-check --retries 0 --timeout 10 --no-deps --target t --index-url https://%/simple/ "
	golang := "rm -rf mod && mkdir mod && cd mod && go mod init x 2>/dev/null && GOMODCACHE=$PWD/cache GOFLAGS=-modcacherw GONOSUMDB=* GONOSUMCHECK=1 GOTOOLCHAIN=local GOPROXY=https://%/go go get allowed.example/small@v1.0.0"
	host := func(text, host string) string { return strings.ReplaceAll(text, "%", host) }
	return []listedWork{
		{"curl", []string{
			"curl -sSf https://allowed.example/file | grep content", "curl -sSf https://ALLOWED.example./file | grep content",
			"curl -sSfL https://allowed.example/to/also.example/file | grep content", "curl -sSf -x socks5h://127.0.0.1:61080 https://allowed.example/file | grep content",
		}, map[string]string{
			"another host": "curl -sSf https://other.example/file", "a denied host": "curl -sSf https://denied.example/file",
			"led elsewhere": "curl -sSfL https://allowed.example/to/other.example/file", "another port": "curl -sSf https://allowed.example:8443/file",
			"by SOCKS5": "curl -sSf -x socks5h://127.0.0.1:61080 https://other.example/file", "no proxy": "curl -sSf --noproxy '*' -m 5 https://allowed.example/file",
			"a name in TLS": "curl -sSf --connect-to other.example:443:allowed.example:443 https://other.example/file",
		}},
		{"git", []string{"rm -rf c && git clone -q https://allowed.example/r.git c && git -C c log --oneline | grep first"}, map[string]string{
			"another host": "git clone -q https://other.example/r.git d", "led elsewhere": "git clone -q https://allowed.example/to/other.example/r.git e",
		}},
		{"npm", []string{host(npm, "allowed.example") + "allowed-small && node -e \"if (require('allowed-small') != 42) process.exit(1)\""}, map[string]string{
			"another registry": host(npm, "other.example") + "allowed-small", "a tarball elsewhere": host(npm, "allowed.example") + "other-small",
		}},
		{"pip", []string{"rm -rf t; " + host(pip, "allowed.example") + "allowed-small; PYTHONPATH=t python3 -c 'import allowed_small; assert allowed_small.answer == 42'"}, map[string]string{
			"another index": "rm -rf t; " + host(pip, "other.example") + "allowed-small; test -e t/allowed_small.py", "a wheel elsewhere": "rm -rf t; " + host(pip, "allowed.example") + "other-small; test -e t/other_small.py",
		}},
		{"go", []string{host(golang, "allowed.example")}, map[string]string{"another proxy": host(golang, "other.example")}},
		{"node", []string{"node dial.js allowed.example /file | grep content"}, map[string]string{"another host": "node dial.js other.example /file"}},
	}
}

// TestListed has programs work with a list of hosts, through a proxy of the
// host's on either family of addresses, with certificates that they check
// themselves: the proxy inside does not see into what it passes on.
func TestListed(t *testing.T) {
	for name, address := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
		t.Run(name, func(t *testing.T) {
			work := shared.workspace(t)
			n := newInternet(t, address, work)
			n.addPackages(t)
			n.addRepository(t, shared.workspace(t))
			denyHost(t, "denied.example")
			if err := os.WriteFile(filepath.Join(work, "dial.js"), []byte(dialer), 0o644); err != nil {
				t.Fatal(err)
			}
			missing := n.addLanguages(t, work)
			for _, c := range append(listedWorks(), listedLanguages()...) {
				t.Run(c.program, func(t *testing.T) {
					program := map[string]string{"pip": "python3"}[c.program]
					if program == "" {
						program = c.program
					}
					skipMissing(t, program, missing)
					for _, line := range c.good {
						out, err := n.inside(work, line)
						if err != nil {
							t.Errorf("%s: %v\n%s", line, err, out)
						}
						if asked := n.names(); !strings.Contains(asked, "allowed.example:443") || strings.Contains(asked, "other") || strings.Contains(asked, "denied") {
							t.Errorf("%s: the way outside was asked for %q", line, asked)
						}
					}
					for what, line := range c.bad {
						out, err := n.inside(work, line)
						if err == nil {
							t.Errorf("%s: %s succeeds\n%s", what, line, out)
						}
						if asked := n.names(); strings.Contains(asked, "other") || strings.Contains(asked, "denied") || strings.Contains(asked, "8443") {
							t.Errorf("%s: %s: the way outside was asked for %q", what, line, asked)
						}
					}
				})
			}
		})
	}
}

// inside runs a line of shell in a sandbox with the list of these tests.
func (n *internet) inside(work, line string) (string, error) {
	args := []string{"run", "-w", work, "-C", work, "--allow-host", "allowed.example:443", "--allow-host", "*.example:1", "--allow-host", "also.example:443", "--allow-host", "denied.example"}
	for _, name := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "npm_config_cafile", "CARGO_HTTP_CAINFO"} {
		args = append(args, "--env", name+"="+n.ca)
	}
	cmd := shared.command("caisson", append(args, "--", "sh", "-c", "cd "+work+" && "+line)...)
	cmd.Env = append(cmd.Env, "HTTPS_PROXY="+n.proxy, "XDG_CONFIG_HOME="+filepath.Join(shared.base, "listed"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// denyHost writes a policy of the user's that denies a host.
func denyHost(t *testing.T, host string) {
	t.Helper()
	dir := filepath.Join(shared.base, "listed", "caisson")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "policy.toml"), []byte("version = 1\n[network]\ndeny = [\""+host+"\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
