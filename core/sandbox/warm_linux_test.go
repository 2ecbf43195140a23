// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// wheelMaker is a build backend of Python that needs nothing but Python.
const wheelMaker = `import os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "tiny_pkg-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as z:
        z.writestr("tiny_pkg.py", "answer = 42\n")
        z.writestr("tiny_pkg-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-pkg\nVersion: 1\n")
        z.writestr("tiny_pkg-1.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr("tiny_pkg-1.dist-info/RECORD", "")
    return name
`

// TestToolsAreWarm runs tools twice, each time in a sandbox of its own: the
// second run takes from the store of the workspace what the first one made, and
// the host's caches are as before.
func TestToolsAreWarm(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles")
	}
	for _, c := range []struct {
		name, tool string
		host       string // the variable that names the host's cache
		files      map[string]string
		script     string
		made, warm string // what the first run prints and the second does not; what the second prints and the first does not
	}{
		{
			name: "go test", tool: "go", host: "GOCACHE", script: "go test -vet=off ./...", warm: "(cached)",
			files: map[string]string{
				"go.mod": "module example.org/work\n\ngo 1.21\n", "a.go": "package work\n",
				"a_test.go": "package work\n\nimport \"testing\"\n\nfunc TestNothing(*testing.T) {}\n",
			},
		},
		{
			name: "cargo build", tool: "cargo", host: "CARGO_HOME", script: "cargo build --offline 2>&1 && target/debug/work", made: "Compiling",
			files: map[string]string{
				"Cargo.toml":      "[package]\nname = \"work\"\nversion = \"0.1.0\"\nedition = \"2018\"\n\n[dependencies]\npart = { path = \"part\" }\n",
				"src/main.rs":     "fn main() { println!(\"{}\", part::answer()) }\n",
				"part/Cargo.toml": "[package]\nname = \"part\"\nversion = \"0.1.0\"\nedition = \"2018\"\n", "part/src/lib.rs": "pub fn answer() -> i32 { 42 }\n",
			},
		},
		{
			name: "pip install", tool: "python3", host: "PIP_CACHE_DIR", made: "Building wheel",
			script: "test -d v || python3 -m venv v; tar -czf tiny_pkg-1.tar.gz --owner=0 --group=0 --mtime=@1 --sort=name tiny_pkg-1 && rm -rf t && " +
				"v/bin/pip install --disable-pip-version-check --no-index --find-links . --no-build-isolation --target t tiny-pkg && v/bin/python -c 'import sys; sys.path.insert(0, \"t\"); import tiny_pkg; print(tiny_pkg.answer)'",
			files: map[string]string{
				"tiny_pkg-1/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\n[project]\nname = \"tiny-pkg\"\nversion = \"1\"\n",
				"tiny_pkg-1/backend.py":     wheelMaker, "tiny_pkg-1/PKG-INFO": "Metadata-Version: 2.1\nName: tiny-pkg\nVersion: 1\n",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath(c.tool); err != nil {
				t.Skip(err)
			}
			if c.tool == "python3" && exec.Command("python3", "-c", "import ensurepip").Run() != nil {
				t.Skip("this Python makes no environments")
			}
			hosts := t.TempDir()
			t.Setenv(c.host, hosts)
			_, dir := open(t, nil, nil)
			for name, text := range c.files {
				err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
				if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, hosts)
			first, second := runTool(t, dir, c.script), runTool(t, dir, c.script)
			if !strings.Contains(first, c.made) || c.warm != "" && strings.Contains(first, c.warm) {
				t.Errorf("the first run is no first run: %s", first)
			}
			if c.made != "" && strings.Contains(second, c.made) || !strings.Contains(second, c.warm) {
				t.Errorf("the second run is not warm: %s", second)
			}
			if after := tree(t, hosts); after != before {
				t.Errorf("the host's cache was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// runTool runs a script in a sandbox of its own and returns what it printed.
func runTool(t *testing.T, dir, script string) string {
	t.Helper()
	sb, err := sandbox.Open(t.Context(), policy.Standard(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	cmd := sb.Command(context.Background(), "/bin/sh", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
