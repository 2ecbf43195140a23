// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"bytes"
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
		MemfdExec: setting("/proc/sys/vm/memfd_noexec") != "2",
		Temp:      tempDirs(), Devices: devices(), Run: runEntries(),
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
	if err := f.try(ctx, o); err != nil {
		return Facts{}, err
	}
	if !f.Trial.OK {
		f.Hints = hints()
	}
	return f, nil
}

// readMounts reads the mount table of this process.
func (f *Facts) readMounts() error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("read the mount table: %w", err)
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
		if kind == "symlink" || kind == "dir" && kindOf(filepath.Dir(name)) == "symlink" {
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

func devices() []string {
	names := []string{}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if kindOf("/dev/"+name) == "file" {
			names = append(names, name)
		}
	}
	return names
}

// runEntries returns what exists of the things of /run that programs need:
// /run itself, where the names of DNS servers are, the links of NixOS, drivers
// of graphics, the host of a container, mounted media, the device database and
// a link of old programs.
func runEntries() []Entry {
	entries := []Entry{}
	for _, name := range []string{
		"", "/NetworkManager/resolv.conf", "/NetworkManager/no-stub-resolv.conf", "/booted-system", "/connman/resolv.conf",
		"/current-system", "/host", "/media", "/opengl-driver", "/opengl-driver-32", "/resolvconf", "/shm",
		"/systemd/resolve", "/udev", "/wrappers",
	} {
		e := Entry{Path: "/run" + name, Kind: kindOf("/run" + name)}
		switch e.Kind {
		case "":
			if name == "" {
				return entries
			}
			continue
		case "symlink":
			if name == "" {
				return entries // it leads to a directory that is not rebuilt
			}
			target, err := os.Readlink(e.Path)
			if err != nil {
				continue
			}
			e.Target = target
		}
		entries = append(entries, e)
	}
	return entries
}

// setting returns the content of a file of one line, or "".
func setting(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(text))
}
