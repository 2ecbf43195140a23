// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"cmp"
	"fmt"
	"strings"
)

// mount is one line of mountinfo, see proc_pid_mountinfo(5).
type mount struct {
	id, parent string
	device     string // major:minor of the superblock, as files on it have
	root       string // the path on the file system that is mounted
	point      string // where it is mounted
	fstype     string
	source     string
}

// shortMount cuts a line of mountinfo to what parseMount reads: without the
// optional fields and the options of the superblock, which can be long.
func shortMount(line string) (string, bool) {
	front, back, ok := strings.Cut(line, " - ")
	fields := strings.SplitN(front, " ", 7)
	types := strings.SplitN(back, " ", 3)
	if !ok || len(fields) < 6 || len(types) < 2 {
		return "", false
	}
	return ascii(strings.Join(fields[:6], " ") + " - " + types[0] + " " + types[1]), true
}

// ascii escapes the bytes that are not ASCII as the kernel escapes a space, so
// that names which are no UTF-8 come through JSON as they are.
func ascii(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, `\%03o`, s[i])
		}
	}
	return b.String()
}

func parseMount(line string) (mount, error) {
	front, back, ok := strings.Cut(line, " - ")
	fields := strings.Split(front, " ")
	types := strings.Split(back, " ")
	if !ok || len(fields) < 6 || len(types) < 2 {
		return mount{}, fmt.Errorf("unreadable line of mountinfo: %q", line)
	}
	m := mount{
		id: fields[0], parent: fields[1], device: fields[2],
		root: unescape(fields[3]), point: unescape(fields[4]),
		fstype: types[0], source: unescape(types[1]),
	}
	if !strings.HasPrefix(m.point, "/") {
		return mount{}, fmt.Errorf("a mount point in mountinfo is no absolute path: %q", line)
	}
	return m, nil
}

// unescape decodes the octal escapes for space, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) && s[i+1] <= '3' {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return c >= '0' && c <= '7' }

// mounts is a mount table that paths can be looked up in.
type mounts struct {
	list []mount
	root int // index of the mount that "/" shows, -1 without one
	on   map[spot]int
	// shared is true where two mounts are of one device: only then can a file
	// have two names that the table knows.
	shared bool
}

// spot is where something is mounted: on which mount, and at which path.
type spot struct{ parent, point string }

func parseMounts(lines []string) (*mounts, error) {
	t := &mounts{list: make([]mount, 0, len(lines)), root: -1, on: make(map[spot]int, len(lines))}
	ids := make(map[string]bool, len(lines))
	devices := make(map[string]bool, len(lines))
	for _, line := range lines {
		m, err := parseMount(line)
		if err != nil {
			return nil, err
		}
		t.on[spot{m.parent, m.point}] = len(t.list)
		t.list = append(t.list, m)
		ids[m.id] = true
		t.shared = t.shared || devices[m.device]
		devices[m.device] = true
	}
	for i, m := range t.list {
		if m.point == "/" && !ids[m.parent] {
			t.root = t.over(i, "/")
			break
		}
	}
	return t, nil
}

// over returns the mount on top of those stacked on a mount at its own point.
func (t *mounts) over(i int, point string) int {
	for range t.list { // each mount at most once, whatever the ids say
		next, ok := t.on[spot{t.list[i].id, point}]
		if !ok || next == i {
			break
		}
		i = next
	}
	return i
}

// at returns the mount that an absolute path without symbolic links lies in,
// or nil where the table has no root.
func (t *mounts) at(name string) *mount {
	if t.root < 0 {
		return nil
	}
	i := t.root
	for n := 1; n <= len(name); n++ {
		if n < len(name) && name[n] != '/' {
			continue
		}
		if next, ok := t.on[spot{t.list[i].id, name[:n]}]; ok && name != "/" {
			i = t.over(next, name[:n])
		}
	}
	return &t.list[i]
}

// visible reports whether a mount can be reached by its mount point: it is not
// covered by another one.
func (t *mounts) visible(m mount) bool {
	at := t.at(m.point)
	return at != nil && at.id == m.id
}

// within reports whether a clean path is dir or lies below it.
func within(dir, name string) bool {
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}

// moved returns the path of name, which is dir or lies below it, as it is when
// dir is at another place.
func moved(name, dir, to string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
	switch {
	case rest == "":
		return to
	case to == "/":
		return "/" + rest
	}
	return to + "/" + rest
}

// comparePaths sorts a directory directly before all that it holds.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}
