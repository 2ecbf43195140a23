// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// author is somebody who follows docs/authoring-a-backend.md: with a home, a
// workspace and caisson in PATH.
type author struct {
	t   *testing.T
	dir string
	env []string
}

func newAuthor(t *testing.T) *author {
	t.Helper()
	dir := parityWorkspace(t)
	env := append(os.Environ(), "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local")
	// The go command keeps its caches where they are, and what it fetches from: a
	// module's first build wants descriptions of modules that this one never
	// looked at. The rest is the author's.
	for _, name := range []string{"GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB"} {
		if out, err := exec.Command("go", "env", name).Output(); err == nil { // without go there is nothing to keep
			env = append(env, name+"="+strings.TrimSpace(string(out)))
		}
	}
	return &author{t, dir, append(env, "HOME="+dir)}
}

// does runs a command in a directory of the author and returns what it wrote.
func (a *author) does(in string, args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = filepath.Join(a.dir, in), a.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (a *author) must(in string, args ...string) string {
	a.t.Helper()
	out, err := a.does(in, args...)
	if err != nil {
		a.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

// runs has the backend at a path run a command with what it does not uphold
// given up by name, and looks at what it confines.
func (a *author) runs(path string) {
	a.t.Helper()
	a.must("", "caisson", "plugin", "trust", path)
	if out := a.must("", "caisson", "plugin", "inspect", path); !strings.Contains(out, "offers   fs.write.confined") {
		a.t.Errorf("inspect: %s", out)
	}
	run := []string{"caisson", "run", "--plugin", path, "-w", "ws"}
	out, err := a.does("", append(run, "--", "true")...)
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 125 || !strings.Contains(out, "refused: ") {
		a.t.Errorf("a backend that upholds little: %v, %s", err, out)
	}
	for _, id := range []string{"fs.write.protected", "fs.read.hidden", "fs.tmp.private", "fs.device.denied", "net.unix.confined", "proc.outside.untouchable",
		"proc.noprivs", "ipc.confined", "tty.noinject", "env.scrubbed", "fd.noleak", "kernel.surface", "life.noresidue"} {
		run = append(run, "--allow-weaker", id)
	}
	script := `echo inside > ` + a.dir + `/ws/file && echo made; echo x > ` + a.dir + `/more/file || echo refused; ls /sys/class/net 2>/dev/null; exit 6`
	out, err = a.does("ws", append(strings.Split(strings.Replace(strings.Join(run, "\n"), "\nws\n", "\n.\n", 1), "\n"), "--", "sh", "-c", script)...)
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 6 || !strings.Contains(out, "made\n") || !strings.Contains(out, "refused\n") {
		a.t.Errorf("%v, %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(a.dir, "more", "file")); err == nil {
		a.t.Error("it wrote outside")
	}
}

func bubblewrapWorks() bool {
	return exec.Command("/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true").Run() == nil
}

// TestGuide builds the program of the guide, in a directory and a module of its
// own, as the guide says.
func TestGuide(t *testing.T) {
	if !bubblewrapWorks() {
		t.Skip("bubblewrap makes no sandbox here")
	}
	guide, err := os.ReadFile("../../docs/authoring-a-backend.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := bytes.Cut(guide, []byte("```go\n// Command caisson-backend-it"))
	code, _, ok := bytes.Cut(code, []byte("\n```\n"))
	if !ok {
		t.Fatal("the guide has no program")
	}
	a := newAuthor(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(a.dir, "it"), 0o755); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"main.go": append([]byte("// Command caisson-backend-it"), code...), "go.sum": sums} {
		if err := os.WriteFile(filepath.Join(a.dir, "it", name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a.must("it", "go", "mod", "init", "example.org/it")
	a.must("it", "go", "mod", "edit", "-require=github.com/caisson-sandbox/caisson@v0.0.0", "-replace=github.com/caisson-sandbox/caisson="+root)
	a.must("it", "go", "build", "-o", "caisson-backend-it", ".")
	for _, imported := range strings.Fields(a.must("it", "go", "list", "-f", `{{join .Imports "\n"}}`, ".")) {
		rest, ours := strings.CutPrefix(imported, "github.com/caisson-sandbox/caisson/")
		if ours && !strings.HasPrefix(rest, "core/") && rest != "plugins/sdk" || !ours && strings.Contains(imported, ".") {
			t.Errorf("it imports %s", imported)
		}
	}
	file := filepath.Join(a.dir, "it", "caisson-backend-it")
	a.runs(file)
	// The suite has nothing against what it claims.
	judge := []string{"caisson", "conformance", "run", "--plugin", file, "-q", "--case-timeout", "2m", "--timeout", "20m"}
	for _, id := range []string{"fs.write.confined", "net.offline", "proc.tree.killed"} {
		judge = append(judge, "--guarantee", id)
	}
	if out := a.must("", judge...); !strings.Contains(out, "nothing against it") || strings.Contains(out, " 0 pass") {
		t.Errorf("conformance: %s", out)
	}
}

// TestPython runs the example in another language.
func TestPython(t *testing.T) {
	if !bubblewrapWorks() {
		t.Skip("bubblewrap makes no sandbox here")
	}
	if err := exec.Command("/usr/bin/python3", "-c", "import h2, ssl").Run(); err != nil {
		t.Skipf("/usr/bin/python3 has no module h2: %v", err)
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	text, err := os.ReadFile("../../docs/examples/caisson-backend-python")
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthor(t)
	file := filepath.Join(a.dir, "caisson-backend-python")
	if err := os.WriteFile(file, text, 0o755); err != nil {
		t.Fatal(err)
	}
	a.runs(file)
	if out, err := a.does("", "caisson", "run", "--plugin", file, "-w", "ws", "--net", "online", "--", "true"); err == nil || !strings.Contains(out, "always offline") && !strings.Contains(out, "refused") {
		t.Errorf("a policy that it refuses: %v, %s", err, out)
	}
}
