// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// advice is what caisson prints of a denial that a flag of one value would allow,
// or of one that leads to the next.
var advice = regexp.MustCompile(`(?m)^caisson: denied: .*(?:; allow it with (--[a-z-]+ \S+)|.*(--net allowlist) )`)

// npmTree returns what a registry answers for an application's packages, one of
// which needs another, is in a scope, has a command and a script for its install.
// Packages are asked for below /npm, and are themselves at other.
func npmTree(t *testing.T, other string) map[string][]byte {
	t.Helper()
	type manifest map[string]any
	files := map[string][]byte{}
	for _, p := range []struct {
		manifest
		index string
	}{
		{manifest{"name": "small"}, "module.exports = 42\n"},
		{manifest{"name": "between", "dependencies": manifest{"small": "^1.0.0"}}, "module.exports = require('small')\n"},
		{manifest{
			"name": "@scope/tool", "dependencies": manifest{"between": "*"}, "bin": manifest{"tool": "index.js"},
			"scripts": manifest{"postinstall": "node -e \"fs.writeFileSync('built', 'yes')\""}, "hasInstallScript": true,
		}, "#!/usr/bin/env node\nconsole.log(require('between'), require('fs').readFileSync(__dirname + '/built', 'utf8'))\n"},
	} {
		name := p.manifest["name"].(string)
		p.manifest["version"] = "1.0.0"
		text, err := json.Marshal(p.manifest)
		if err != nil {
			t.Fatal(err)
		}
		tgz := npmPackage(t, map[string]string{"package.json": string(text), "index.js": p.index})
		at := "/tarballs/" + strings.ReplaceAll(name, "/", "-") + ".tgz"
		sum := sha1.Sum(tgz)
		p.manifest["dist"] = manifest{"tarball": other + at, "shasum": hex.EncodeToString(sum[:])}
		if text, err = json.Marshal(manifest{"name": name, "dist-tags": manifest{"latest": "1.0.0"}, "versions": manifest{"1.0.0": p.manifest}}); err != nil {
			t.Fatal(err)
		}
		files[at], files["/npm/"+name] = tgz, text
	}
	return files
}

// npmApplication writes the application of npmTree.
func npmApplication(t *testing.T) string {
	t.Helper()
	dir := shared.workspace(t)
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"app","version":"1.0.0","dependencies":{"@scope/tool":"^1.0.0"},"allowScripts":{"@scope/tool":true}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serveLocally serves files on a port of the loopback, which it returns.
func serveLocally(t *testing.T, files map[string][]byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc((&internet{files: files}).site)}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestNewcomer has somebody install the packages of an application who knows
// nothing of caisson: what is denied at first is allowed by what is printed, and
// by nothing else, until it works.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		t.Run("a registry on "+host, func(t *testing.T) {
			t.Parallel()
			packages := map[string][]byte{}
			second := serveLocally(t, packages)
			files := npmTree(t, "http://"+net.JoinHostPort(host, second))
			for name, data := range files {
				if strings.HasPrefix(name, "/tarballs/") {
					packages[name] = data
					delete(files, name)
				}
			}
			first := serveLocally(t, files)
			followAdvice(t, npmApplication(t), "http://"+net.JoinHostPort(host, first)+"/npm/", nil, nil,
				[]string{"--allow-loopback", first, "--allow-loopback", second})
		})
	}
	t.Run("a registry behind the proxy of the host", func(t *testing.T) {
		t.Parallel()
		work := npmApplication(t)
		n := newInternet(t, "127.0.0.1:0", work)
		n.files = npmTree(t, "https://also.example")
		followAdvice(t, work, "https://allowed.example/npm/", []string{"HTTPS_PROXY=" + n.proxy},
			[]string{"--env", "npm_config_cafile=" + n.ca},
			[]string{"--net", "allowlist", "--allow-host", "allowed.example:443", "--allow-host", "also.example:443"})
	})
}

// followAdvice installs with what caisson advises, until it works: by the flags
// of want, one at a time.
func followAdvice(t *testing.T, work, registry string, env, flags, want []string) {
	t.Helper()
	var followed []string
	run := func(command ...string) (stdout, stderr string, err error) {
		args := slices.Concat([]string{"run", "-w", work, "-C", work}, flags, followed, []string{"--"}, command)
		cmd := shared.command("caisson", args...)
		cmd.Env = append(cmd.Env, env...)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = cmd.Run()
		return out.String(), errs.String(), err
	}
	for {
		_, stderr, err := run("npm", "install", "--no-audit", "--no-fund", "--fetch-retries=0", "--registry="+registry)
		if err == nil {
			break
		}
		if _, err := os.Stat(filepath.Join(work, "node_modules/@scope/tool/index.js")); err == nil {
			t.Errorf("it failed, and the packages are there")
		}
		found := advice.FindAllStringSubmatch(stderr, -1)
		if len(found) != 1 || len(followed) >= len(want) {
			t.Fatalf("with %q: %v, and the advice is %q\n%s", followed, err, found, stderr)
		}
		followed = append(followed, strings.Fields(found[0][1]+found[0][2])...)
	}
	if !slices.Equal(followed, want) {
		t.Errorf("it took %q, want %q", followed, want)
	}
	if stdout, stderr, err := run("npx", "--no-install", "tool"); err != nil || stdout != "42 yes\n" {
		t.Errorf("what was installed: %q, %v\n%s", stdout, err, stderr)
	}
}
