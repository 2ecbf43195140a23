// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// fetcher downloads packages of Debian, for any architecture, into a directory
// of its own: an apt with private lists and caches, so that the machine's set
// of architectures and packages stays as it is. Its mirrors and keys are the
// machine's.
type fetcher struct{ dir string }

// apt returns a command of the private apt.
func (f fetcher) apt(ctx context.Context, tool string, args ...string) *exec.Cmd {
	options := []string{
		"-q",
		"-o", "APT::Architecture=amd64", "-o", "APT::Architectures::=arm64",
		"-o", "Dir::State=" + f.dir + "/state", "-o", "Dir::State::status=" + f.dir + "/status",
		"-o", "Dir::Cache=" + f.dir + "/cache", "-o", "APT::Sandbox::User=root",
	}
	c := exec.CommandContext(ctx, tool, append(options, args...)...)
	c.Stderr = os.Stderr
	return c
}

// update reads the lists of packages.
func (f fetcher) update(ctx context.Context) error {
	for _, dir := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(f.dir, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(f.dir, "status"), nil, 0o644); err != nil {
		return err
	}
	if err := f.apt(ctx, "apt-get", "update").Run(); err != nil {
		return fmt.Errorf("read the lists of packages: %w", err)
	}
	return nil
}

// newest follows a package that only depends on the newest of its kind.
func (f fetcher) newest(ctx context.Context, name, arch string) (string, error) {
	out, err := f.apt(ctx, "apt-cache", "depends", "--important", name+":"+arch).Output()
	if err != nil {
		return "", fmt.Errorf("ask for %s: %w", name, err)
	}
	for line := range strings.Lines(string(out)) {
		if _, target, ok := strings.Cut(strings.TrimSpace(line), "Depends: "); ok {
			target, _, _ = strings.Cut(target, ":")
			return target, nil
		}
	}
	return "", fmt.Errorf("%s depends on nothing", name)
}

// unpack returns the directory of a package's files, unpacked but not
// installed.
func (f fetcher) unpack(ctx context.Context, name, arch string) (string, error) {
	to := filepath.Join(f.dir, "unpacked", name+"-"+arch)
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	work, err := os.MkdirTemp(f.dir, "download-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	c := f.apt(ctx, "apt-get", "download", name+":"+arch)
	c.Dir = work
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("download %s for %s: %w", name, arch, err)
	}
	files, err := filepath.Glob(work + "/*.deb")
	if err != nil || len(files) != 1 {
		return "", errors.Join(err, fmt.Errorf("download %s for %s: got %d files", name, arch, len(files)))
	}
	half := filepath.Join(work, "files")
	if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", files[0], half).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w: %s", name, err, out)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	return to, os.Rename(half, to)
}

// machine is what a guest is started from: a kernel, its modules, a busybox.
type machine struct {
	kernel
	image   string // path of the kernel
	modules string // directory of its modules
	busybox string // path of a static busybox
}

// machine fetches what a kernel needs.
func (f fetcher) machine(ctx context.Context, k kernel) (machine, error) {
	m := machine{kernel: k}
	name, err := f.newest(ctx, k.latest, k.arch)
	if err != nil {
		return m, err
	}
	dir, err := f.unpack(ctx, name, k.arch)
	if err != nil {
		return m, err
	}
	for pattern, to := range map[string]*string{"/boot/vmlinuz-*": &m.image, "/lib/modules/*": &m.modules} {
		found, err := filepath.Glob(dir + pattern)
		if err != nil || len(found) != 1 {
			return m, errors.Join(err, fmt.Errorf("%s has %d of %s", name, len(found), pattern))
		}
		*to = found[0]
	}
	if dir, err = f.unpack(ctx, "busybox-static", k.arch); err != nil {
		return m, err
	}
	m.busybox = dir + "/bin/busybox"
	return m, nil
}

// profile compiles a profile of AppArmor, if there is one, by the parser of
// this machine's architecture: what it writes is the same for all. It looks at
// nothing of this machine's AppArmor, nor does it need one.
func (f fetcher) profile(ctx context.Context, text, work string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	dir, err := f.unpack(ctx, "apparmor", runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	source, compiled := filepath.Join(work, "profile"), filepath.Join(work, "profile.compiled")
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, dir+"/sbin/apparmor_parser", "--config-file", "/dev/null", "--base", dir+"/etc/apparmor.d",
		"--skip-cache", "--skip-kernel-load", "--ofile", compiled, source)
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the profile: %w: %s", err, out)
	}
	return os.ReadFile(compiled)
}
