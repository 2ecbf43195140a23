// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"errors"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// maxLinks is how many symbolic links a path may lead through, as on Linux.
const maxLinks = 40

// devicesDir is private but for the devices that everybody needs.
const devicesDir = "/dev"

func devices() []string {
	return []string{"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
}

// place is what a path leads to.
type place struct {
	path string // as the sandbox sees it, without links and dots
	real string // where it is on the host
	info fs.FileInfo
	// links are the symbolic links on the way, process the number of a process
	// whose own view of the files was gone through, 0 for none.
	links   []string
	process int
}

func (p place) exists() bool { return p.info != nil }

// find follows a path as the kernel would: two dots go up from where the links
// led, the last name is followed only if it is asked for. What does not exist
// has no links in it.
func (m *Monitor) find(path, dir string, follow bool) (place, error) {
	if path == "" {
		return place{}, fs.ErrNotExist
	}
	if !filepath.IsAbs(path) {
		if dir == "" {
			dir, _ = os.Getwd()
		}
		path = dir + string(filepath.Separator) + path
	}
	if runtime.GOOS == "windows" {
		path = filepath.Clean(path) // dots are lexical there
	}
	at, rest := split(path)
	p := place{path: at, real: at}
	p.info, _ = os.Lstat(at)
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			p.path = filepath.Dir(p.path)
			p.real = m.host(p.path)
			p.info, _ = os.Lstat(p.real)
			continue
		}
		next := filepath.Join(p.path, name)
		real := m.host(next)
		info, err := os.Lstat(real)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 && (follow || len(rest) > 0) {
			text, err := os.Readlink(real)
			if n := processOf(next); n > 0 && !m.own(n) {
				p.process = n
			}
			if p.links = append(p.links, next); err != nil || len(p.links) > maxLinks {
				return p, errors.Join(errors.New("fake: too many links"), err)
			}
			if filepath.IsAbs(text) {
				var names []string
				p.path, names = split(text)
				p.real = m.host(p.path)
				rest = append(names, rest...)
			} else {
				rest = append(strings.Split(filepath.ToSlash(text), "/"), rest...)
			}
			continue
		}
		p.path, p.real, p.info = next, real, nil
		if err == nil {
			p.info = info
		}
	}
	return p, nil
}

// split cuts an absolute path into its root and names.
func split(path string) (root string, names []string) {
	volume := filepath.VolumeName(path)
	return volume + string(filepath.Separator), strings.Split(filepath.ToSlash(path[len(volume):]), "/")
}

// below reports whether a path is top or lies below it.
func below(path, top string) bool {
	return path == top || strings.HasPrefix(path, strings.TrimSuffix(top, string(filepath.Separator))+string(filepath.Separator))
}

// processOf is the process that a path in /proc is about, 0 for none.
func processOf(path string) int {
	rest, ok := strings.CutPrefix(path, "/proc/")
	if !ok {
		return 0
	}
	name, _, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(name)
	if err != nil {
		return 0
	}
	return n
}

// temp is the private directory that holds a path, "" for none. A path that a
// rule names is not in one, wherever it lies.
func (m *Monitor) temp(path string) string {
	found := ""
	for _, t := range m.Temps {
		if below(path, t) && len(t) > len(found) {
			found = t
		}
	}
	if _, rule := m.Policy.AccessTo(path); found != "" && rule.Path != "" && below(rule.Path, found) && rule.Access != policy.Hidden {
		return ""
	}
	return found
}

// private is where the sandbox keeps a private directory.
func (m *Monitor) private(dir string) string {
	h := fnv.New32a()
	h.Write([]byte(dir))
	top := m.Dir
	switch {
	case m.Leaky("tmp.common"):
		top = filepath.Join(filepath.Dir(m.Dir), "common")
	case m.Leaky("duty.tmp-per-command"):
		top = filepath.Join(m.Dir, m.Command)
	}
	return filepath.Join(top, "private", strconv.FormatUint(uint64(h.Sum32()), 36))
}

// host is where a path of the sandbox, whose directory has no links, is on the
// host.
func (m *Monitor) host(path string) string {
	if path == devicesDir && !m.Leaky("device.alias") && !m.Leaky("device.all") {
		return m.private(devicesDir)
	}
	if t := m.temp(path); t != "" && !m.shared(t, path) {
		return filepath.Join(m.private(t), path[len(t):])
	}
	return path
}

// shared reports whether a leak shows the host's own file in the place of a
// private one.
func (m *Monitor) shared(temp, path string) bool {
	_, err := os.Lstat(path)
	switch {
	case strings.HasPrefix(temp, "/dev/shm"):
		return m.Leaky("ipc.shm") || m.Leaky("residue.shm") || m.Leaky("device.alias")
	case m.Leaky("tmp.shared"):
		return true
	case m.Leaky("tmp.second"):
		return temp == "/var/tmp"
	case m.Leaky("tmp.shown"):
		return err == nil
	}
	return false
}
