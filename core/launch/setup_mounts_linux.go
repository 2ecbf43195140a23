// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// The scratch's things that cover hidden paths, and held ones: what is held
// can be listed, so that tools find it empty and do not complain. It holds one
// file, which has git leave it alone: without, `git clean -d` and `git stash -u`
// try to remove it as an empty directory, and fail.
const (
	coverDir  = scratchBase + "/d"
	coverFile = scratchBase + "/f"
	heldDir   = scratchBase + "/h"

	heldIgnore = heldDir + "/.gitignore"
	ignoreAll  = "*\n"
)

// mountStep adds the entries of one step of the mount tree. Steps that are
// applied elsewhere are left alone.
func (s *setup) mountStep(i int, step plan.Step) error {
	switch st := step.(type) {
	case plan.Namespaces, plan.ReadOnlyRoot, plan.Watch, plan.Broker, plan.Egress, plan.ProcessGroup, plan.Limits,
		plan.Privileges, plan.Landlock, plan.Seccomp:
		return nil
	case plan.Scratch:
		s.scratch(st)
	case plan.Private:
		at := s.newPlace()
		s.mkdir(at, st.Mode)
		s.places[st.Path] = at
		s.attach(at, st.Path, st.ReadOnly)
	case plan.MountPoint:
		at, ok := s.place(st.Path)
		if !ok {
			return fmt.Errorf("mount point %s lies in no private directory", st.Path)
		}
		s.mountPoint(at, st.Kind)
	case plan.Link:
		at, ok := s.place(st.Path)
		if !ok {
			return fmt.Errorf("link %s lies in no private directory", st.Path)
		}
		s.call("link "+st.Path, unix.SYS_SYMLINKAT, s.str(st.Target), atFDCWD, s.str(at))
	case plan.Bind:
		s.move(s.trees[i], st.Path)
	case plan.Hold:
		if st.Kind != "dir" { // a link is mounted on itself: it is never followed here
			tree := s.openTree(st.Path, 0, 0)
			s.mountAttr("make "+st.Path+" read-only", tree.value(), s.str(""), unix.MOUNT_ATTR_RDONLY, 0)
			s.move(tree, st.Path)
		} else {
			s.cover(st.Path, heldDir)
		}
	case plan.Cover:
		s.coverStep(i, st)
	case plan.Devices:
		s.devices(st)
	case plan.Proc:
		s.proc(st)
	default:
		return fmt.Errorf("unknown step %q", step.Name())
	}
	s.done(i)
	return nil
}

func (s *setup) scratch(st plan.Scratch) {
	options := fmt.Sprintf("mode=0755,size=%d,nr_inodes=%d", st.Bytes, st.Inodes)
	s.call("mount the scratch", unix.SYS_MOUNT, s.str("caisson"), s.str(scratchBase), s.str("tmpfs"), num(unix.MS_NOSUID|unix.MS_NODEV), s.str(options))
	s.mkdir(coverDir, 0)
	s.mkdir(heldDir, 0o555)
	s.mkfile(heldIgnore, 0o644)
	ignore := s.cell(0)
	s.call("open "+heldIgnore, unix.SYS_OPENAT, atFDCWD, s.str(heldIgnore), num(unix.O_WRONLY|unix.O_CLOEXEC)).to(ignore)
	s.call("write "+heldIgnore, unix.SYS_WRITE, ignore.value(), s.bytes([]byte(ignoreAll)), num(len(ignoreAll)))
	s.call("close "+heldIgnore, unix.SYS_CLOSE, ignore.value())
	s.mkfile(coverFile, 0)
	for _, name := range []string{coverDir, coverFile, heldDir} {
		tree := s.openPlace(name)
		s.mountAttr("make the cover read-only", tree.value(), s.str(""), unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC, 0)
		s.move(tree, name) // clones of a read-only mount are read-only
	}
	for _, name := range []string{"/", coverDir, coverFile} {
		fd := s.cell(0)
		s.call("keep "+name, unix.SYS_OPENAT, atFDCWD, s.str(name), num(unix.O_PATH|unix.O_CLOEXEC)).to(fd)
		s.covers = append(s.covers, fd)
	}
}

func (s *setup) mkdir(name string, mode uint32) {
	s.call("make directory "+name, unix.SYS_MKDIRAT, atFDCWD, s.str(name), num(int(mode)))
}

func (s *setup) mkfile(name string, mode uint32) {
	s.call("make file "+name, unix.SYS_MKNODAT, atFDCWD, s.str(name), num(int(unix.S_IFREG|mode)), num(0))
}

// openPlace clones a directory or file of the scratch.
func (s *setup) openPlace(name string) cell {
	tree := s.cell(0)
	s.call("clone "+name, unix.SYS_OPEN_TREE, atFDCWD, s.str(name), num(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)).to(tree)
	return tree
}

// attach mounts a directory of the scratch.
func (s *setup) attach(at, to string, readOnly bool) {
	tree := s.openPlace(at)
	if readOnly {
		s.mountAttr("make "+to+" read-only", tree.value(), s.str(""), unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID, 0)
	}
	s.move(tree, to)
}

// mountPoint makes a mount point in the scratch, and what leads to it.
func (s *setup) mountPoint(at, kind string) {
	parts := strings.Split(strings.TrimPrefix(path.Dir(at), scratchBase+"/"), "/")
	for n := 2; n <= len(parts); n++ { // the first part is the place itself
		s.call("make the way to "+at, unix.SYS_MKDIRAT, atFDCWD, s.str(scratchBase+"/"+strings.Join(parts[:n], "/")), num(0o755)).with(flagIgnore)
	}
	if kind == "dir" {
		s.call("make mount point "+at, unix.SYS_MKDIRAT, atFDCWD, s.str(at), num(0o755)).with(flagIgnore)
	} else {
		s.call("make mount point "+at, unix.SYS_MKNODAT, atFDCWD, s.str(at), num(unix.S_IFREG|0o644), num(0)).with(flagIgnore)
	}
}

func (s *setup) cover(name, with string) {
	s.move(s.openPlace(with), name)
}

// coverStep covers a hidden path. A directory inside which something is shown
// gets a cover of its own, that has the mount points.
func (s *setup) coverStep(i int, st plan.Cover) {
	if st.Kind == "dir" {
		for _, later := range s.plan.Steps[i+1:] {
			mp, ok := later.(plan.MountPoint)
			if ok && strings.HasPrefix(mp.Path, st.Path+"/") {
				at := s.newPlace()
				s.mkdir(at, 0o555)
				s.places[st.Path] = at
				s.attach(at, st.Path, true)
				return
			}
		}
		s.coverOptional(st, coverDir)
		return
	}
	s.coverOptional(st, coverFile)
}

func (s *setup) coverOptional(st plan.Cover, with string) {
	s.cover(st.Path, with)
	if st.Optional {
		s.entries[len(s.entries)-1].flags |= flagIgnore
	}
}

// openDevices clones the host's devices before /dev is covered.
func (s *setup) openDevices() {
	for i, step := range s.plan.Steps {
		d, ok := step.(plan.Devices)
		if !ok {
			continue
		}
		s.step = i
		for n, name := range d.Names {
			s.trees[deviceKey(i, n)] = s.openPlace("/dev/" + name)
		}
		if s.terminal != "" {
			s.trees[deviceKey(i, len(d.Names))] = s.openPlace(s.terminal)
		}
	}
}

// deviceKey is the key of a device's mount in trees, apart from all steps.
func deviceKey(step, n int) int { return -1 - step*64 - n }

func (s *setup) devices(st plan.Devices) {
	at := s.newPlace()
	s.mkdir(at, 0o755)
	s.places["/dev"] = at
	for _, name := range st.Names {
		s.mkfile(at+"/"+name, 0o666)
	}
	if s.terminal != "" {
		s.mkfile(at+"/console", 0o600)
	}
	s.mkdir(at+"/pts", 0o755)
	for _, link := range [][2]string{{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"}} {
		s.call("link /dev/"+link[0], unix.SYS_SYMLINKAT, s.str(link[1]), atFDCWD, s.str(at+"/"+link[0]))
	}
	s.attach(at, "/dev", true)
	for n, name := range st.Names {
		s.move(s.trees[deviceKey(s.step, n)], "/dev/"+name)
	}
	if s.terminal != "" {
		s.move(s.trees[deviceKey(s.step, len(st.Names))], "/dev/console")
	}
	s.call("mount new terminals", unix.SYS_MOUNT, s.str("devpts"), s.str("/dev/pts"), s.str("devpts"), num(unix.MS_NOSUID|unix.MS_NOEXEC), s.str("newinstance,ptmxmode=0666,mode=0620"))
}

// proc mounts the new /proc. It is read-only as a whole: what tools write
// there (memory of a traced process) has a system call of its own.
func (s *setup) proc(st plan.Proc) {
	covers := make([]cell, len(st.Covered))
	for i := range st.Covered {
		covers[i] = s.openPlace(coverFile)
	}
	s.call("mount the new /proc", unix.SYS_MOUNT, s.str("proc"), s.str("/proc"), s.str("proc"), num(unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY), num(0))
	for i, name := range st.Covered {
		s.move(covers[i], "/proc/"+name)
		s.entries[len(s.entries)-1].flags |= flagIgnore
	}
}
