// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// registry serves one package, "tiny", as npm's registry does.
func registry(t *testing.T) string {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	for name, text := range map[string]string{"package.json": `{"name":"tiny","version":"1.0.0"}`, "index.js": "module.exports = 42\n"} {
		if err := archive.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if archive.Close() != nil || zip.Close() != nil {
		t.Fatal("the package cannot be packed")
	}
	sum := sha512.Sum512(packed.Bytes())
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/tiny":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"name":"tiny","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"tiny","version":"1.0.0","dist":{"tarball":"http://%s/tiny-1.0.0.tgz","integrity":"sha512-%s"}}}}`,
				r.Host, base64.StdEncoding.EncodeToString(sum[:]))
		case "/tiny-1.0.0.tgz":
			_, _ = w.Write(packed.Bytes())
		default:
			http.NotFound(w, r)
		}
	})
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// tree lists what a directory holds, with times.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&b, name, info.Mode(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNpmOffline installs a package without a network, from what the host's
// cache had. The host's cache gets nothing from inside.
func TestNpmOffline(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip(err)
	}
	hosts := t.TempDir()
	t.Setenv("npm_config_cache", hosts)
	t.Setenv("npm_config_registry", registry(t))
	t.Setenv("npm_config_update_notifier", "false")
	install := []string{"install", "--no-audit", "--no-fund", "tiny"}
	_, dir := open(t, nil, nil)
	outside := exec.Command("npm", install...)
	outside.Dir = t.TempDir()
	if out, err := outside.CombinedOutput(); err != nil {
		t.Fatalf("the host's npm: %v: %s", err, out)
	}
	inside := func() (string, error) {
		sb, err := sandbox.Open(t.Context(), policy.Standard(dir), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer sb.Close()
		cmd := sb.Command(context.Background(), "npm", append(install, "--offline")...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := inside(); err == nil {
		t.Fatalf("npm installs without a network where its cache is not wanted: %s", out)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"work"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	before := tree(t, hosts)
	_, _ = inside() // the copy may come too late for this one
	if out, err := inside(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "node_modules", "tiny", "index.js")); err != nil || string(text) != "module.exports = 42\n" {
		t.Errorf("installed was %q, %v", text, err)
	}
	if after := tree(t, hosts); after != before {
		t.Errorf("the host's cache was\n%s\nand is\n%s", before, after)
	}
}
