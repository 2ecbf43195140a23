// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// probe finds the facts of this host.
func probe(ctx context.Context, o Options) (Facts, error) {
	f := Facts{
		Format: factsFormat, Arch: runtime.GOARCH, UID: os.Geteuid(), GID: os.Getegid(),
		Landlock: landlockABI(), Notify: notifies(),
		Temp: tempDirs(), Run: runEntries(),
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Facts{}, fmt.Errorf("uname: %w", err)
	}
	f.Kernel = unix.ByteSliceToString(name.Release[:])
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return Facts{}, fmt.Errorf("sysinfo: %w", err)
	}
	f.Memory = int64(info.Totalram) * int64(info.Unit)
	if err := f.readMounts(); err != nil {
		return Facts{}, err
	}
	var err error
	if f.Trial, err = f.try(ctx, o, trialFile, compile); err != nil {
		return Facts{}, err
	}
	if !f.Trial.OK {
		f.Hints = hints()
	}
	return f, nil
}

// probeFence finds the facts for sandboxes without namespaces.
func probeFence(ctx context.Context, o Options) (Facts, error) {
	f, err := probe(ctx, o)
	if err != nil {
		return Facts{}, err
	}
	f.Fence = &Fence{GetFD: copiesDescriptors(), Keys: listsKeys(), Parent: filepath.Join(os.TempDir(), "caisson")}
	if o.StateDir != "" {
		f.Fence.Parent = filepath.Join(o.StateDir, "tmp")
	}
	f.Fence.Trial, err = f.try(ctx, o, fenceTrialFile, compileFence)
	return f, err
}

// listsKeys reports whether /proc/keys is what it is called. Containers mount
// something else over it.
func listsKeys() bool {
	var st unix.Statfs_t
	return unix.Statfs("/proc/keys", &st) == nil && st.Type == unix.PROC_SUPER_MAGIC
}

// readMounts reads the mount table of this process.
func (f *Facts) readMounts() error {
	text, err := readFile("/proc/self/mountinfo", 16<<10)
	if err != nil {
		return fmt.Errorf("read the mount table: %w; is /proc mounted?", err)
	}
	f.Mounts, f.FileMounts = []string{}, []string{}
	for line := range strings.Lines(string(text)) {
		short, ok := shortMount(strings.TrimSuffix(line, "\n"))
		if !ok {
			continue // a file system whose type has no name
		}
		m, err := parseMount(short)
		if err != nil {
			return fmt.Errorf("read the mount table: %w", err)
		}
		f.Mounts = append(f.Mounts, short)
		if m.fstype == "cgroup2" && m.root == "/" && f.Cgroup == nil {
			f.Cgroup = cgroup(m.point)
		}
		f.Nested = f.Nested || nested(m)
		// Only a part of a file system can be a file. A server that does not
		// answer must not stop this, so those are not asked.
		if m.root != "/" && !serves(m.fstype) && m.fstype != "autofs" && kindOf(m.point) == "file" {
			f.FileMounts = append(f.FileMounts, m.point)
		}
	}
	return nil
}

// nested reports whether a mount shows that this process is inside a sandbox
// of caisson: /dev is a part of its scratch. Nothing inside can make or change
// mounts, so a command can neither fake this nor take it away.
func nested(m mount) bool {
	return m.point == "/dev" && m.fstype == "tmpfs" && m.source == scratchSource
}

// kindOf says what is at a path, without following a link there; empty where
// nothing is.
func kindOf(name string) string {
	var st unix.Stat_t
	if unix.Lstat(name, &st) != nil {
		return ""
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFLNK:
		return "symlink"
	}
	return "file"
}

// tempDirs returns the real directories behind /tmp and /var/tmp.
func tempDirs() []string {
	dirs := []string{}
	for _, name := range []string{"/tmp", "/var/tmp"} {
		kind := kindOf(name)
		if kind == "symlink" || name == "/var/tmp" && kindOf("/var") == "symlink" {
			real, err := filepath.EvalSymlinks(name)
			if err != nil {
				continue
			}
			name, kind = real, kindOf(real)
		}
		if kind == "dir" && name != "/" && !slices.Contains(dirs, name) {
			dirs = append(dirs, name)
		}
	}
	return dirs
}

// inRun are the things of /run that programs need: where the names of DNS
// servers are, the links of NixOS, drivers of graphics, mounted media, the
// device database and a link of old programs.
func inRun() []string {
	return []string{
		"NetworkManager/no-stub-resolv.conf", "NetworkManager/resolv.conf", "booted-system", "connman/resolv.conf",
		"current-system", "media", "opengl-driver", "opengl-driver-32", "resolvconf", "shm", "systemd/resolve",
		"udev", "wrappers",
	}
}

// runEntries returns /run and what exists of the things in it. A /run that is
// a link leads to a directory that is not rebuilt.
func runEntries() []Entry {
	entries := []Entry{}
	names := list("/run")
	if names == nil {
		return entries
	}
	entries = append(entries, Entry{Path: "/run", Kind: "dir"})
	for _, name := range inRun() {
		if first, _, _ := strings.Cut(name, "/"); !slices.Contains(names, first) {
			continue
		}
		e := Entry{Path: "/run/" + name}
		if e.Kind = kindOf(e.Path); e.Kind == "symlink" {
			e.Target, _ = os.Readlink(e.Path) // an empty target cannot be: the link is gone
		}
		if e.Kind != "" && (e.Kind == "symlink") == (e.Target != "") {
			entries = append(entries, e)
		}
	}
	return entries
}

// list returns the names in a directory, or nil where that is not one.
func list(dir string) []string {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	names, buf := []string{}, make([]byte, 8<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return names
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// setting returns the content of a file of one line, or "".
func setting(name string) string {
	text, err := readFile(name, 4<<10)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// readFile reads a file of about size bytes with a third of the calls that os.ReadFile
// makes: this is on the way of every launch.
func readFile(name string, size int) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	text := make([]byte, 0, size)
	for {
		n, err := unix.Read(fd, text[len(text):cap(text)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return text, nil
		default:
			text = slices.Grow(text[:len(text)+n], 512)
		}
	}
}
