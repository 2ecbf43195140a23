// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// A command that is to have less than its sandbox enters a mount namespace of
// its own, made from that of the sandbox by a process outside of the sandbox's
// Landlock domain, which forbids to mount. What the supervisor mounts in the
// sandbox later, such as a cover again, comes in (the mounts are slaves of the
// sandbox's); nothing gets out.
//
// Its Landlock domain lies below that of the sandbox. It takes no access to
// files away: a process in it may not trace one outside, which is what the way
// through /proc/PID/root, cwd, fd and mem of another command asks for, see
// landlock(7) and ptrace(2).

// lessened is what the list of such a command is given.
type lessened struct {
	spaces   []int    // of the sandbox, but for the mounts, and the ruleset of the domain behind them
	readOnly []string // what the command's process must find read-only
	own      []int    // those to be closed
}

func (l *lessened) close() { closeAll(l.own) }

// lessen makes the mounts and the ruleset. An error is or wraps a
// *diag.Diagnostic.
func (s *Sandbox) lessen(l Less) (*lessened, error) {
	if s.covers.root < 0 {
		return nil, lessUnsupported()
	}
	if l = l.simplified(); len(l.Protect)+len(l.Hide) > maxLess {
		return nil, diag.New(diag.LessInvalid, fmt.Sprintf("more than %d paths are to be protected or hidden for one command", maxLess), "name directories")
	}
	covers := make([]int, len(l.Hide)) // the given descriptor for each
	for i, name := range slices.Concat(l.Hide, l.Protect) {
		dir, err := s.covers.kind(name)
		if err != nil {
			return nil, err
		}
		switch {
		case i >= len(l.Hide):
		case dir:
			covers[i] = firstGiven + 1
		default:
			covers[i] = firstGiven + 2
		}
	}
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, lessFailed(err)
	}
	defer unix.Close(proc)
	out := &lessened{spaces: slices.Clone(s.spaces), readOnly: slices.Concat(l.ReadOnly, l.Protect, l.Hide)}
	add := func(list *setup) { list.lessen(s.plan, l, covers) }
	if out.own, err = s.amongMounts(add, proc, s.covers.dir, s.covers.file); err == nil && len(out.own) != 1 {
		err = errors.New("the list sent no mounts")
	}
	var domain int
	if err == nil {
		domain, err = ownDomain(s.plan)
	}
	if err != nil {
		out.close()
		return nil, lessFailed(err)
	}
	out.spaces[slices.Index(out.spaces, s.space("mount"))] = out.own[0]
	out.own = append(out.own, domain)
	out.spaces = append(out.spaces, domain)
	return out, nil
}

func lessFailed(err error) error {
	return &failure{diag.New(diag.LaunchFailed, fmt.Sprintf("the command could not be given less than its sandbox: %v", err), ""), err}
}

// kind reports whether a path that commands see is a directory.
func (c *covers) kind(name string) (dir bool, err error) {
	if !path.IsAbs(name) || path.Clean(name) != name || name == "/" {
		return false, lessInvalid(name, "it is no path below /")
	}
	fd, err := unix.Openat2(c.root, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS})
	switch {
	case err == unix.ENOENT || err == unix.ENOTDIR:
		return false, lessInvalid(name, "it does not exist in the sandbox")
	case err == unix.ELOOP:
		return false, lessInvalid(name, "it is, or leads through, a symbolic link")
	case err != nil:
		return false, lessInvalid(name, err.Error())
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, lessInvalid(name, err.Error())
	}
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// ownDomain makes a ruleset that lets everything be done that the sandbox's own
// rules speak of.
func ownDomain(p *plan.Plan) (int, error) {
	handled, _, err := landlockHandled(p)
	if err != nil {
		return -1, err
	}
	fd, err := createRuleset(handled, 0)
	if err != nil {
		return -1, err
	}
	if err := allowBeneath(fd, "/", handled); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// lessen adds the mounts of one command. Covers are cloned while they are in
// sight, which they are for the sandbox's own namespace alone.
func (s *setup) lessen(p *plan.Plan, l Less, covers []int) {
	trees := make([]cell, len(l.Hide))
	for i, given := range covers {
		trees[i] = s.cell(0)
		s.cloneTree("clone the cover", num(given), 0).to(trees[i])
	}
	s.mountAttr("let the sandbox's mounts be followed", atFDCWD, s.str("/"), 0, unix.MS_SHARED)
	s.call("make mounts of the command's own", unix.SYS_UNSHARE, num(unix.CLONE_NEWNS))
	s.mountAttr("follow the sandbox's mounts", atFDCWD, s.str("/"), 0, unix.MS_SLAVE)
	for _, name := range l.ReadOnly {
		s.mountAttr("make "+name+" read-only", atFDCWD, s.str(name), unix.MOUNT_ATTR_RDONLY, 0)
	}
	pinned := map[string]bool{}
	for _, name := range l.Protect {
		s.pin(p, name, pinned)
		s.mountOnItself(name, unix.MOUNT_ATTR_RDONLY)
	}
	for i, name := range l.Hide {
		s.pin(p, name, pinned)
		s.mountOn("cover "+name, trees[i], s.find(name))
	}
	mounts := s.cell(0)
	s.call("open the mount namespace", unix.SYS_OPENAT, num(firstGiven), s.str("self/ns/mnt"), num(unix.O_RDONLY|unix.O_CLOEXEC)).to(mounts)
	s.sendDescriptors("hand over the mounts", 0, s.words(num(msgLess), num(0), num(0)), 24, mounts)
}

// pin makes mounts of the directories between what is writable and name: a mount
// cannot be renamed. Without it a directory could be moved away with what is
// mounted in it, and made anew.
func (s *setup) pin(p *plan.Plan, name string, pinned map[string]bool) {
	top := writableAbove(p, name)
	if top == "" {
		return
	}
	var between []string
	for dir := path.Dir(name); dir != top; dir = path.Dir(dir) {
		between = append(between, dir)
	}
	for _, dir := range slices.Backward(between) {
		if !pinned[dir] {
			pinned[dir] = true
			s.mountOnItself(dir, 0)
		}
	}
}

// writableAbove is the innermost directory that a plan mounts for writing and
// in which a path lies, "" for none.
func writableAbove(p *plan.Plan, name string) string {
	top := ""
	for _, step := range p.Steps {
		var at string
		switch st := step.(type) {
		case plan.Bind:
			if st.Access == "write" && st.Role != "pin" {
				at = st.Path
			}
		case plan.Private:
			at = st.Path
		}
		if len(at) > len(top) && strings.HasPrefix(name, at+"/") {
			top = at
		}
	}
	return top
}

// mountOnItself mounts what a name leads to, with all that is mounted below it,
// on itself.
func (s *setup) mountOnItself(name string, attributes int) {
	target, tree := s.find(name), s.cell(0)
	s.cloneTree("clone the mount of "+name, target.value(), unix.AT_RECURSIVE).to(tree)
	if attributes != 0 {
		s.mountAttr("make "+name+" read-only", tree.value(), s.str(""), attributes, 0)
	}
	s.mountOn("mount "+name+" on itself", tree, target)
}

// lessen has the command's process look at what its mounts are to hold, and
// enter its domain. The supervisor wants to hear of that.
func (e *entering) lessen(domain int, readOnly []string) {
	for _, name := range readOnly {
		st := e.bytes(make([]byte, 128))
		e.call("look at the mount of "+name, unix.SYS_STATFS, e.str(name), st)
		e.check(name+" is read-only for the command", st.plus(statfsFlags), unix.ST_RDONLY, unix.ST_RDONLY)
	}
	e.call("enter a domain of its own", unix.SYS_LANDLOCK_RESTRICT_SELF, num(domain), num(0))
	e.mark(e.message.plus(8*(1+attestLess)), 1)
}
