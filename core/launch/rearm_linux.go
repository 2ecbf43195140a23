// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/journal"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// A process outside that replaces a protected path, as git does when it writes
// its configuration, takes the mount off it in every namespace: the kernel
// detaches what is mounted on a name that is removed or renamed over. Until it
// is mounted again commands can open the new file for writing.
//
// The supervisor reads the new file, mounts it again, then makes sure that no
// command got hold of it meanwhile: it is the same file with the same content,
// has no other name, and nobody has it open for writing. If that cannot be
// shown, and for directories it cannot, the sandbox is killed.
//
// What stays open: a command that wrote between the replacement and the
// reading, and closed the file, leaves no trace. Every replacement is therefore
// reported, and the report says to look at the file.
//
// An open that was under way when the file was mounted again can still succeed
// after that. Until the end of the run the file must therefore hold what it was
// seen with. A user who writes to it in place, after having replaced it during
// the same run, is taken for a command; the text is then in the quarantine.

// maxSnapshot bounds the size of a file whose content is kept, in bytes.
const maxSnapshot = 4 << 20

const (
	rearmTries = 20
	rearmPause = time.Millisecond
	// deathPause is how long killed commands may still run.
	deathPause = 20 * time.Millisecond
)

// fileSnapshot is a regular file as it was read.
type fileSnapshot struct {
	id      journal.Identity
	content []byte
	mode    uint32
	uid     int
	gid     int
}

// errHeld says that something may change a file later, whatever is mounted.
var errHeld = errors.New("it has another name or is open for writing")

// readSnapshot reads a regular file. With alone it is an error if the file has
// a second name, or if anyone has it open for writing: a read lease, see
// F_SETLEASE of fcntl(2), is refused then.
func readSnapshot(name string, alone bool) (*fileSnapshot, error) {
	parent, err := openParent(path.Dir(name))
	if err != nil {
		return nil, err
	}
	defer unix.Close(parent)
	fd, err := unix.Openat(parent, path.Base(name), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	id, st, err := journal.Look(parent, path.Base(name))
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", name, err)
	}
	var opened unix.Stat_t
	if err := unix.Fstat(fd, &opened); err != nil {
		return nil, fmt.Errorf("look at %s: %w", name, err)
	}
	if opened.Ino != id.Ino || opened.Mode&unix.S_IFMT != unix.S_IFREG || opened.Size > maxSnapshot {
		return nil, fmt.Errorf("%s is no small file, or changes", name)
	}
	if alone {
		if opened.Nlink != 1 {
			return nil, fmt.Errorf("%s: %w", name, errHeld)
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
			return nil, fmt.Errorf("%s: %w", name, errHeld)
		}
		defer func() { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK) }()
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSnapshot+1))
	if err != nil {
		return nil, err
	}
	return &fileSnapshot{id, content, uint32(st.Mode) & 0o777, int(st.Uid), int(st.Gid)}, nil
}

// detached acts on a guarded path that is not the file it was.
func (w *watch) detached(g *guardedPath) {
	if w.broken {
		return
	}
	if w.over {
		w.changed(g, "nothing ran in the sandbox any more when it was seen")
		g.id = journal.Identity{}
		return
	}
	if g.kind != "file" {
		w.breakOff(g, nil, errors.New("a directory or link cannot be protected again"))
		return
	}
	var seen *fileSnapshot
	err := retry(func() (err error) { seen, err = readSnapshot(g.path, false); return err })
	if err == nil {
		err = retry(func() error { return w.sandbox.rearm(g.path, seen.id) })
	}
	if err == nil {
		var now *fileSnapshot
		now, err = readSnapshot(g.path, true)
		if err == nil && (now.id != seen.id || !bytes.Equal(now.content, seen.content)) {
			err = errors.New("it was changed before it was protected again")
		}
	}
	if err != nil {
		w.breakOff(g, seen, err)
		return
	}
	g.id, g.seen = seen.id, seen
	if w.inotify != nil {
		w.watchContent(g.path)
	}
	w.changed(g, "it is protected again")
}

// verify compares a file that was replaced with what it was seen with then.
func (w *watch) verify(g *guardedPath) {
	if w.broken {
		return
	}
	now, err := readSnapshot(g.path, w.over)
	if err == nil && now.id == g.seen.id && !bytes.Equal(now.content, g.seen.content) {
		err = errors.New("it was written to afterwards")
	} else if !w.over && !errors.Is(err, errHeld) {
		err = nil // a path that changes is seen the next time
	}
	if err != nil {
		w.breakOff(g, g.seen, err)
	}
}

// retry tries again for some milliseconds: the kernel takes a mount away
// before it puts the new name in place.
func retry(f func() error) error {
	var err error
	for range rearmTries {
		if err = f(); err == nil {
			return nil
		}
		time.Sleep(rearmPause)
	}
	return err
}

// changed reports a replacement, once per path.
func (w *watch) changed(g *guardedPath, what string) {
	if g.told {
		return
	}
	g.told = true
	w.tell(diag.Diagnostic{Code: diag.ProtectedChanged,
		Message: fmt.Sprintf("%s was replaced from outside during the run; %s", diag.Quote(g.path), what),
		Remedy:  "look at its content: a command could write to it for a moment"})
}

// breakOff kills the sandbox because a path cannot be protected any longer,
// and gives a file the content back that it was seen with.
func (w *watch) breakOff(g *guardedPath, seen *fileSnapshot, why error) {
	w.kill()
	message := fmt.Sprintf("%s was replaced from outside during the run and could not be protected again: %v", diag.Quote(g.path), why)
	if !w.over {
		message += "; the sandbox was killed"
	}
	remedy := "look at it before any tool does"
	if seen != nil {
		if !w.over {
			time.Sleep(deathPause)
		}
		g.seen = seen
		w.restore(g)
		remedy += "; it holds again what it held when the change was seen"
	}
	w.tell(diag.Diagnostic{Code: diag.ProtectedChanged, Message: message, Remedy: remedy})
}

// restore makes a file hold what it was seen with. The other content goes to
// the quarantine; whoever has that file open writes to nothing that counts.
func (w *watch) restore(g *guardedPath) {
	want := g.seen
	if now, err := readSnapshot(g.path, true); err == nil && bytes.Equal(now.content, want.content) {
		return
	}
	if err := w.replace(g.path, want); err != nil {
		w.tell(diag.Diagnostic{Code: diag.ProtectedChanged,
			Message: fmt.Sprintf("%s holds what a command wrote and could not be restored: %v", diag.Quote(g.path), err),
			Remedy:  "restore it before any tool reads it"})
	}
}

func (w *watch) replace(name string, want *fileSnapshot) error {
	parent, err := openParent(path.Dir(name))
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if _, err := w.away.move(name); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	// Under its own name at once: there is no name in between to be replaced.
	fd, err := unix.Openat(parent, path.Base(name), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if _, err := f.Write(want.content); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := f.Chown(want.uid, want.gid); err != nil {
			return err
		}
	}
	return f.Chmod(os.FileMode(want.mode))
}

// rearm mounts a path on itself again, read-only, in the sandbox's mount
// namespace.
func (s *Sandbox) rearm(name string, id journal.Identity) error {
	return s.remount(func(list *setup) {
		tree := list.openTree(name, id.Dev, id.Ino)
		list.mountAttr("make "+name+" read-only", tree.value(), list.str(""), unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, 0)
		list.move(tree, name)
	})
}

// firstGiven is the number of the first descriptor that a list of amongMounts is given.
const firstGiven = 3

// cloneTree adds open_tree(2) of a descriptor: a detached clone of its mount.
func (p *program) cloneTree(what string, fd arg, flags int) *entry {
	return p.call(what, unix.SYS_OPEN_TREE, fd, p.str(""), num(unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags))
}

// mountOn attaches a detached mount to what a descriptor names.
func (p *program) mountOn(what string, tree, target cell) {
	p.call(what, unix.SYS_MOVE_MOUNT, tree.value(), p.str(""), target.value(), p.str(""), num(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
}

// coverAgain mounts a cover on what a name leads to inside.
func (s *Sandbox) coverAgain(name string, dir bool) error {
	with := s.covers.file
	if dir {
		with = s.covers.dir
	}
	return s.remount(func(list *setup) {
		target, tree := list.cell(0), list.cell(0)
		how := list.words(num(unix.O_PATH|unix.O_CLOEXEC), num(0), num(unix.RESOLVE_NO_MAGICLINKS))
		list.call("find "+name, unix.SYS_OPENAT2, atFDCWD, list.str(name), how, num(24)).to(target)
		list.cloneTree("clone the cover", num(firstGiven), 0).to(tree)
		list.mountOn("cover "+name, tree, target)
	}, with)
}

// remount changes the mounts of the sandbox.
func (s *Sandbox) remount(add func(*setup), given ...int) error {
	_, err := s.amongMounts(add, given...)
	return err
}

// amongMounts has a list run among the mounts of the sandbox, and returns the
// descriptors that it sends, if any. A process of its own does it: one with
// several threads cannot enter a user namespace, and no process that shares
// memory with the caller may be in the sandbox.
func (s *Sandbox) amongMounts(add func(*setup), given ...int) (sent []int, err error) {
	list := &setup{}
	list.step = -1
	list.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(firstGiven+len(given)), num(1<<32-1), num(0))
	list.call("die with the caller", unix.SYS_PRCTL, num(unix.PR_SET_PDEATHSIG), num(int(unix.SIGKILL)))
	list.hideMemory()
	list.call("enter the user namespace", unix.SYS_SETNS, num(1), num(unix.CLONE_NEWUSER))
	list.call("enter the mount namespace", unix.SYS_SETNS, num(2), num(unix.CLONE_NEWNS))
	list.hideMemory()
	add(list)
	list.call("end", unix.SYS_EXIT_GROUP, num(0))

	image, err := list.memfd()
	if err != nil {
		return nil, err
	}
	defer unix.Close(image)
	ctl, err := newControl()
	if err != nil {
		return nil, err
	}
	defer ctl.close()
	fds := append([]int{ctl.other, s.space("user"), s.space("mount")}, given...)
	s.keeper.do(func() {
		var pid int
		if pid, err = execImage(image, fds...); err != nil {
			return
		}
		ctl.handedOver()
		var m *message
		m, err = ctl.receive()
		if err != nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		reap(pid)
		switch {
		case m == nil:
		case len(m.words) == 2:
			err = fmt.Errorf("mount again: %w", list.failureOf(m.words, nil))
		default:
			sent = m.fds
		}
	})
	return sent, err
}

// space is the descriptor of the sandbox's namespace of a kind.
func (s *Sandbox) space(kind string) int {
	ns, _ := s.plan.Steps[0].(plan.Namespaces)
	for i, k := range ns.Kinds {
		if k == kind {
			return s.spaces[i]
		}
	}
	return -1
}
