// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
)

// programs are what is built for a guest.
type programs struct{ guest, caisson, docker, limits string }

// build compiles the programs for an architecture.
func build(ctx context.Context, dir, arch string) (programs, error) {
	p := programs{dir + "/guest-" + arch, dir + "/caisson-" + arch, dir + "/docker-" + arch, dir + "/limits-" + arch}
	for to, args := range map[string][]string{
		p.guest: {"build", "./conformance/internal/kernels/guest"}, p.caisson: {"build", "./cmd/caisson"},
		p.docker: {"build", "./cmd/internal/docker"}, p.limits: {"test", "-c", "./core/sandbox"},
	} {
		source := args[len(args)-1]
		args = append(args[:len(args)-1], "-trimpath", "-o", to, source)
		c := exec.CommandContext(ctx, "go", args...)
		c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := c.CombinedOutput(); err != nil {
			return p, fmt.Errorf("build %s for %s: %w: %s", source, arch, err, out)
		}
	}
	return p, nil
}

// initial writes the initial file system: process 1 and the modules.
func (m machine) initial(ctx context.Context, p programs, to string) error {
	dir, err := os.MkdirTemp(filepath.Dir(to), "initial-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	order, err := m.copyModules(ctx, dir)
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, name := range order {
		list.WriteString("/" + name + "\n")
	}
	if err := os.WriteFile(dir+"/modules", []byte(list.String()), 0o644); err != nil {
		return err
	}
	if err := copyFile(p.guest, dir+"/init", 0o755); err != nil {
		return err
	}
	for _, name := range []string{"dev", "disk"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := archive(out, dir); err != nil {
		return err
	}
	return out.Close()
}

// archive writes the files of a directory in the one form that the kernel
// reads an initial file system in, "newc" of cpio(5). All belongs to root.
func archive(w io.Writer, dir string) error {
	number := 0
	entry := func(name string, mode uint32, data []byte) error {
		number++
		var b bytes.Buffer
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
		b.Write(make([]byte, -b.Len()&3))
		b.Write(data)
		b.Write(make([]byte, -len(data)&3))
		_, err := w.Write(b.Bytes())
		return err
	}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if d.IsDir() {
			return entry(name, 0o040755, nil)
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		return entry(name, 0o100755, data)
	})
	if err != nil {
		return err
	}
	return entry("TRAILER!!!", 0, nil)
}

// disk writes the guest's root: an ext4 file system with the programs and what
// a distribution has in /etc. The system is its name in reports.
func (m machine) disk(ctx context.Context, p programs, system string, order wire.Order, to string) error {
	dir, err := os.MkdirTemp(filepath.Dir(to), "root-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"bin", "sbin", "dev", "etc", "home/tester/work", "lib", "proc", "root/work", "run", "sys", "tmp", "usr/bin", "var/lib", "var/tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"/tmp", "/var/tmp"} {
		if err := os.Chmod(dir+name, 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	text, err := json.Marshal(order)
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\ntester:x:1000:1000::/home/tester:/bin/sh\n", "/etc/group": "root:x:0:\ntester:x:1000:\n",
		"/etc/hosts": "127.0.0.1 localhost guest\n", "/etc/os-release": "PRETTY_NAME=\"" + system + "\"\n",
		wire.OrderPath: string(text),
	} {
		if err := os.WriteFile(dir+name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	for from, name := range map[string]string{p.guest: "/sbin/init", p.caisson: guestCaisson, p.docker: "/bin/docker-like", p.limits: "/bin/limits", m.busybox: "/bin/busybox"} {
		if err := copyFile(from, dir+name, 0o755); err != nil {
			return err
		}
	}
	for _, applet := range []string{"cat", "dd", "df", "echo", "env", "grep", "head", "id", "ls", "mkdir", "rm", "sh", "sleep", "true", "yes"} {
		if err := os.Symlink("busybox", dir+"/bin/"+applet); err != nil {
			return err
		}
	}
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
		return err
	}
	c := exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", dir, to, "512M")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("make the disk: %w: %s", err, out)
	}
	return nil
}

func copyFile(from, to string, mode os.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, mode)
}
