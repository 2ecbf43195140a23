// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// Descriptors of the process that runs the setup list. It has no standard
// streams: process 1 must not hold the caller's pipes open.
const (
	setupControl = iota // socket to the supervisor
	setupCaller         // pidfd of the caller
	setupRuleset        // Landlock ruleset
	setupImage          // the image itself
)

// The namespaces that commands enter, in the order in which process 1 sends
// their descriptors, which is the order of entering.
var nsKinds = []struct {
	name string
	flag int
}{
	{"user", unix.CLONE_NEWUSER},
	{"mount", unix.CLONE_NEWNS},
	{"pid", unix.CLONE_NEWPID},
	{"net", unix.CLONE_NEWNET},
	{"ipc", unix.CLONE_NEWIPC},
	{"uts", unix.CLONE_NEWUTS},
	{"cgroup", unix.CLONE_NEWCGROUP},
}

// nsFile is the name of a namespace in /proc/PID/ns.
func nsFile(kind string) string {
	if kind == "mount" {
		return "mnt"
	}
	return kind
}

// setup is the list that makes the namespaces and ends as process 1.
type setup struct {
	program
	plan     *plan.Plan
	terminal string // path of the caller's terminal, bound on /dev/console
	caller   callerIDs
	message  arg               // "ready", and the bits of the steps that were applied
	trees    map[int]cell      // detached mounts by index of step
	places   map[string]string // private directories and covers: path → place in the scratch
	kinds    []string
	covers   []cell // root, cover of directories, cover of files, see covers; none without a scratch
	placesN  int
}

// callerIDs are the effective ids of the caller.
type callerIDs struct{ uid, gid int }

// scratchBase is where the scratch is mounted while the sandbox is made. The
// new /proc covers it before any command runs.
const scratchBase = "/proc"

func setupProgram(p *plan.Plan, caller callerIDs, terminal string) (*setup, error) {
	s := &setup{plan: p, terminal: terminal, caller: caller, trees: map[int]cell{}, places: map[string]string{}}
	s.step = -1
	s.report = setupControl
	s.message = s.readyMessage()
	ns, ok := p.Steps[0].(plan.Namespaces)
	if !ok {
		return nil, fmt.Errorf("the first step is %q, not namespaces", p.Steps[0].Name())
	}
	s.kinds = ns.Kinds
	s.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(setupImage), num(1<<32-1), num(0))
	s.step = 0
	s.cloneProcessOne(ns)
	s.idMaps(ns)
	if ns.Loopback {
		s.loopback()
	}
	s.done(0)
	s.listen()
	s.openTrees("write")
	for i, step := range p.Steps {
		if _, ok := step.(plan.ReadOnlyRoot); ok {
			s.step = i
			s.mountAttr("make every mount read-only and private", atFDCWD, s.str("/"), unix.MOUNT_ATTR_RDONLY, unix.MS_PRIVATE)
			s.openDevices()
			s.step = i
			s.mountAttr("make devices of other places useless", atFDCWD, s.str("/"), unix.MOUNT_ATTR_NODEV, 0)
			s.done(i)
		}
	}
	s.openTrees("read")
	for i, step := range p.Steps {
		s.step = i
		if err := s.mountStep(i, step); err != nil {
			return nil, err
		}
	}
	s.step = -1
	s.call("go to /", unix.SYS_CHDIR, s.str("/"))
	if err := s.finish(); err != nil {
		return nil, err
	}
	return s, nil
}

// done marks a step as applied.
func (s *setup) done(i int) {
	s.mark(s.message.plus(8+i/64*8), 1<<(i%64))
}

// cloneProcessOne forks process 1 into the namespaces. It becomes a child of
// the caller (CLONE_PARENT), which ends the sandbox by killing it.
func (s *setup) cloneProcessOne(ns plan.Namespaces) {
	flags := unix.CLONE_PARENT | unix.CLONE_VM | int(unix.SIGCHLD)
	for _, k := range nsKinds {
		for _, want := range ns.Kinds {
			if want == k.name {
				flags |= k.flag
			}
		}
	}
	pid := s.cell(0)
	fork := s.call("make the namespaces "+strings.Join(ns.Kinds, ", "), unix.SYS_CLONE, num(flags)).to(pid)
	fork.jump = len(s.entries) + 2
	s.call("report the id of process 1", unix.SYS_WRITE, num(setupControl), pid.at, num(8))
	s.call("end the first process", unix.SYS_EXIT_GROUP, num(0))

	s.call("die with the caller", unix.SYS_PRCTL, num(unix.PR_SET_PDEATHSIG), num(int(unix.SIGKILL)))
	poll := make([]byte, 8)
	binary.LittleEndian.PutUint32(poll, setupCaller)
	binary.LittleEndian.PutUint16(poll[4:], unix.POLLIN)
	dead := s.cell(0)
	s.call("look whether the caller lives", unix.SYS_PPOLL, s.bytes(poll), num(1), s.words(num(0), num(0)), num(0), num(8)).to(dead)
	s.check("the caller lives", dead.at, ^uint64(0), 0)
	s.call("leave the caller's session", unix.SYS_SETSID)
	s.call("clear the umask", unix.SYS_UMASK, num(0))
}

// idMaps maps the ids. A caller without privileges may map itself only and
// from inside; for all ids the caller writes the maps, see user_namespaces(7).
func (s *setup) idMaps(ns plan.Namespaces) {
	if ns.IDs != "all" {
		s.writeFile("/proc/self/setgroups", "deny")
		s.writeFile("/proc/self/uid_map", fmt.Sprintf("%d %d 1", s.caller.uid, s.caller.uid))
		s.writeFile("/proc/self/gid_map", fmt.Sprintf("%d %d 1", s.caller.gid, s.caller.gid))
	}
	got := s.cell(0)
	s.call("wait for the id maps and for what is held", unix.SYS_READ, num(setupControl), s.words(num(0)), num(verdictSize)).with(flagRetry).to(got)
	s.check("the supervisor lets it go on", got.at, ^uint64(0), verdictSize)
}

// writeFile writes and closes: an open writable descriptor of /proc would keep
// its mount from becoming read-only.
func (s *setup) writeFile(name, content string) {
	fd := s.cell(0)
	s.call("open "+name, unix.SYS_OPENAT, atFDCWD, s.str(name), num(unix.O_WRONLY|unix.O_CLOEXEC)).to(fd)
	s.call("write "+name, unix.SYS_WRITE, fd.value(), s.bytes([]byte(content)), num(len(content)))
	s.call("close "+name, unix.SYS_CLOSE, fd.value())
}

// loopback sets IFF_UP on lo, see netdevice(7).
func (s *setup) loopback() {
	fd := s.cell(0)
	ifreq := make([]byte, 40)
	copy(ifreq, "lo")
	binary.LittleEndian.PutUint16(ifreq[16:], unix.IFF_UP)
	s.call("make a socket for lo", unix.SYS_SOCKET, num(unix.AF_INET), num(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC), num(0)).to(fd)
	s.call("bring up lo", unix.SYS_IOCTL, fd.value(), num(unix.SIOCSIFFLAGS), s.bytes(ifreq))
	s.call("close the socket", unix.SYS_CLOSE, fd.value())
}

// mountAttr adds mount_setattr(2), recursively.
func (s *setup) mountAttr(what string, dirfd, name arg, set, propagation int) {
	attr := s.words(num(set), num(0), num(propagation), num(0))
	s.call(what, unix.SYS_MOUNT_SETATTR, dirfd, name, num(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE), attr, num(32))
}

// openTrees opens the binds of one access as detached mounts: the writable
// ones before the root becomes read-only, the others after. The path is
// resolved without following links and compared with what the policy saw.
func (s *setup) openTrees(access string) {
	for i, step := range s.plan.Steps {
		b, ok := step.(plan.Bind)
		if !ok || b.Access != access {
			continue
		}
		s.step = i
		tree := s.openTree(cmp.Or(b.Source, b.Path), b.Dev, b.Ino)
		if access == "write" {
			s.mountAttr("restrict the mount of "+b.Path, tree.value(), s.str(""), unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, unix.MS_PRIVATE)
		}
		s.trees[i] = tree
	}
}

func (s *setup) openTree(name string, dev, ino uint64) cell {
	fd, tree := s.find(name), s.cell(0)
	if ino != 0 {
		s.checkIdentity(name, fd.value(), dev, ino)
	}
	s.cloneTree("clone the mount of "+name, fd.value(), unix.AT_RECURSIVE).to(tree)
	return tree
}

// find opens a path as a name, without following links.
func (s *setup) find(name string) cell {
	fd := s.cell(0)
	how := s.words(num(unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW), num(0), num(unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS))
	s.call("find "+name, unix.SYS_OPENAT2, atFDCWD, s.str(name), how, num(24)).to(fd)
	return fd
}

// Offsets of struct statx, see statx(2).
const (
	statxSize     = 256
	statxIno      = 0x20
	statxDevMajor = 0x88
)

// checkIdentity fails the list unless the descriptor is the expected inode.
func (p *program) checkIdentity(name string, fd arg, dev, ino uint64) {
	st := p.bytes(make([]byte, statxSize))
	p.call("look at "+name, unix.SYS_STATX, fd, p.str(""), num(unix.AT_EMPTY_PATH), num(unix.STATX_INO), st)
	p.check(name+meant, st.plus(statxIno), ^uint64(0), ino)
	p.check(name+meant, st.plus(statxDevMajor), ^uint64(0), uint64(unix.Major(dev))|uint64(unix.Minor(dev))<<32)
}

// move attaches a detached mount.
func (s *setup) move(tree cell, to string) {
	s.call("mount on "+to, unix.SYS_MOVE_MOUNT, tree.value(), s.str(""), atFDCWD, s.str(to), num(unix.MOVE_MOUNT_F_EMPTY_PATH))
}

// place returns where a path inside a private directory lies in the scratch.
func (s *setup) place(name string) (string, bool) {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if at, ok := s.places[dir]; ok {
			return at + strings.TrimPrefix(name, dir), true
		}
		if dir == "/" {
			return "", false
		}
	}
}

// newPlace names a new directory of the scratch.
func (s *setup) newPlace() string {
	s.placesN++
	return fmt.Sprintf("%s/%d", scratchBase, s.placesN)
}
