// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const (
	// agentImage is the image that the examples in docs/fleets name.
	agentImage   = "example.com/agent:1"
	sandboxImage = "example.com/hold:1"
)

// task is what the examples run: it writes in the workspace, and says what it
// finds of the pod around it.
const task = `#!/bin/sh
echo "$1 $2" > "result-$2" || exit 1
if touch "$HOME/outside" 2>/dev/null; then outside=written; else outside=refused; fi
if (echo forged >/dev/termination-log) 2>/dev/null; then result=written; else result=refused; fi
interfaces=$(tail -n +3 /proc/net/dev | wc -l)
echo "done $1 $2 outside=$outside result=$result interfaces=$interfaces"
`

// importImages gives the node an image with caisson and busybox, and one that
// only sleeps, which holds the namespaces of pods.
func (c *cluster) importImages(t *testing.T) {
	t.Helper()
	layer := c.layer(t)
	for name, command := range map[string][]string{agentImage: {"/bin/sh"}, sandboxImage: {"/bin/sleep", "2147483647"}} {
		file := filepath.Join(c.dir, "image.tar")
		writeFile(t, file, string(image(t, name, command, layer)))
		run(t, tool("ctr"), "--namespace", "k8s.io", "images", "import", file)
	}
}

// image is an image in the form that docker save writes.
func image(t *testing.T, name string, command []string, layer []byte) []byte {
	t.Helper()
	config := encode(t, map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": command, "Env": []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/agent"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	manifest := encode(t, []map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	var a archive
	a.file("config.json", 0o644, config)
	a.file("layer.tar", 0o644, layer)
	a.file("manifest.json", 0o644, manifest)
	return a.end(t)
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (c *cluster) layer(t *testing.T) []byte {
	t.Helper()
	var a archive
	for _, dir := range []string{"bin", "dev", "etc", "home", "proc", "root", "run", "sys", "usr", "usr/bin", "usr/local", "usr/local/bin", "var", "workspace"} {
		a.dir(dir, 0o755, 0)
	}
	a.dir("tmp", 0o1777, 0)
	a.dir("var/tmp", 0o1777, 0)
	a.dir("home/agent", 0o755, 1000)
	a.file("etc/passwd", 0o644, []byte("root:x:0:0::/root:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/sh\n"))
	a.file("etc/group", 0o644, []byte("root:x:0:\nagent:x:1000:\n"))
	a.file("etc/os-release", 0o644, []byte("PRETTY_NAME=\"busybox in a pod\"\n"))
	a.file("usr/local/bin/task", 0o755, []byte(task))
	a.file("usr/local/bin/caisson", 0o755, static(t, tool("caisson")))
	a.file("bin/busybox", 0o755, static(t, "/bin/busybox"))
	for _, name := range strings.Fields(run(t, "/bin/busybox", "--list")) {
		if name != "busybox" {
			a.link("bin/"+name, "busybox")
			a.link("usr/bin/"+name, "/bin/busybox")
		}
	}
	return a.end(t)
}

// static reads a program that needs no libraries.
func static(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	program, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Fatalf("%s needs libraries: %v %v; the package busybox-static has one that does not", name, libraries, err)
	}
	return text
}

// archive is a tar archive that grows; its first error is that of the end.
type archive struct {
	buffer bytes.Buffer
	writer *tar.Writer
	err    error
}

func (a *archive) put(h *tar.Header, content []byte) {
	if a.writer == nil {
		a.writer = tar.NewWriter(&a.buffer)
	}
	if h.Size = int64(len(content)); a.err == nil {
		a.err = a.writer.WriteHeader(h)
	}
	if a.err == nil {
		_, a.err = a.writer.Write(content)
	}
}

func (a *archive) file(name string, mode int64, content []byte) {
	a.put(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

func (a *archive) dir(name string, mode int64, owner int) {
	a.put(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (a *archive) link(name, to string) {
	a.put(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to, Mode: 0o777}, nil)
}

func (a *archive) end(t *testing.T) []byte {
	t.Helper()
	if a.err == nil {
		a.err = a.writer.Close()
	}
	if a.err != nil {
		t.Fatal(a.err)
	}
	return a.buffer.Bytes()
}
