// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// What covers a hidden path is mounted on a file or directory, not on a name.
// A process outside that removes it, or renames another over it, takes the
// mount off, as it does with a protected path; one that renames it, or a
// directory above it, takes the mount along, and what is made under the name
// afterwards is not covered. Until it is covered again commands can read it
// and, in a writable root, write to it.
//
// The supervisor looks at the name as commands see it, from a descriptor of
// the sandbox's root, and covers what is there. A file must then be open for
// nobody. If that cannot be shown, and for directories it cannot, since a
// command may have entered it, the sandbox is killed.
//
// What stays open: a command that read a file between the replacement and the
// covering and closed it leaves no trace, nor does one that holds it by a path
// descriptor. Every replacement is therefore reported.

// hiddenPath is a path that is covered inside.
type hiddenPath struct {
	path string
	// optional is set where the path may have been absent at the start: it is
	// caisson's own, and is covered as soon as it is there.
	optional bool
	told     bool
}

// covers are the sandbox's covers, and its root, to look at paths as commands
// see them. The zero value has none; -1 stands for no descriptor.
type covers struct {
	root      int // path descriptor of "/"
	dir, file int // path descriptors of an empty directory and file
	device    uint64
}

// fill takes the descriptors that process 1 sent.
func (c *covers) fill(fds []int) error {
	c.root, c.dir, c.file = fds[0], fds[1], fds[2]
	var st unix.Stat_t
	if err := unix.Fstat(c.dir, &st); err != nil {
		return fmt.Errorf("look at the cover: %w", err)
	}
	c.device = uint64(st.Dev)
	return nil
}

func (c *covers) close() {
	for _, fd := range []int{c.root, c.dir, c.file} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// look finds what commands find under a name: something of the host, and
// whether that is a directory. The private directories, of which covers are
// parts, hold nothing of the host.
func (c *covers) look(name string) (host, dir bool, err error) {
	fd, err := unix.Openat2(c.root, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return false, false, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, false, err
	}
	return uint64(st.Dev) != c.device, st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// lookHidden covers again what is not covered any more.
func (w *watch) lookHidden() {
	if w.renamed {
		w.renamed = false
		w.watchHidden() // other directories may have the names now
	}
	for _, h := range w.hidden {
		host, dir, err := w.sandbox.covers.look(h.path)
		switch {
		case err == unix.EAGAIN, w.shut(h.path, err): // something is renamed at this moment, or comes back later
			w.again = true
		case err == nil && host:
			w.uncovered(h, dir)
		}
	}
}

// uncovered acts on a hidden path under which commands find something.
func (w *watch) uncovered(h *hiddenPath, dir bool) {
	if w.broken {
		return
	}
	if w.over {
		w.replaced(h, "nothing ran in the sandbox any more when it was seen")
		return
	}
	if dir && !h.optional {
		w.kill()
		_ = w.cover(h) // what is killed does not die at once
		w.tell(diag.Diagnostic{Code: diag.HiddenChanged,
			Message: fmt.Sprintf("%s was replaced from outside during the run, and a command may have entered it before it could be hidden again; the sandbox was killed", diag.Quote(h.path)),
			Remedy:  "replace it while nothing runs"})
		return
	}
	err := w.cover(h)
	if err == nil && !h.optional {
		err = retry(func() error { return openForNobody(h.path) })
	}
	if err != nil {
		w.kill()
		w.tell(diag.Diagnostic{Code: diag.HiddenChanged,
			Message: fmt.Sprintf("%s was replaced from outside during the run and could not be hidden again: %v; the sandbox was killed", diag.Quote(h.path), err),
			Remedy:  "replace it while nothing runs"})
		return
	}
	if !h.optional {
		w.replaced(h, "it is hidden again")
	}
}

// cover covers what commands find under a hidden name, until they find nothing
// of the host there.
func (w *watch) cover(h *hiddenPath) error {
	return retry(func() error {
		host, dir, err := w.sandbox.covers.look(h.path)
		if err != nil || !host {
			return nil // it is gone, or covered
		}
		if err := w.sandbox.coverAgain(h.path, dir); err != nil {
			return err
		}
		return errAgain
	})
}

// errAgain has retry look once more.
var errAgain = errors.New("it is replaced again and again")

// replaced reports a replacement, once per path.
func (w *watch) replaced(h *hiddenPath, what string) {
	if h.told {
		return
	}
	h.told = true
	w.tell(diag.Diagnostic{Code: diag.HiddenChanged,
		Message: fmt.Sprintf("%s was replaced from outside during the run; %s", diag.Quote(h.path), what),
		Remedy:  "a command could read it for a moment: replace what it holds if that matters"})
}

// openForNobody fails if anybody has a file open: a write lease, see F_SETLEASE
// of fcntl(2), is refused then. A file that the caller may not open is out of
// the commands' reach too.
func openForNobody(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err == unix.ENOENT || err == unix.EACCES {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close() // ends the lease
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return errors.New("it may be open in a command")
	}
	return nil
}

// watchHidden watches for the names of the hidden paths, and of the directories
// above them, to be given to something else. Few directories hold them all.
// Where one cannot be watched, the paths are looked at in intervals.
func (w *watch) watchHidden() {
	w.blind = false
	for name := range w.ways {
		delete(w.parents, path.Dir(name))
	}
	clear(w.ways)
	for _, h := range w.hidden {
		for name := h.path; name != "/" && !w.ways[name]; name = path.Dir(name) {
			w.ways[name], w.onWay[path.Base(name)] = true, true
			w.blind = !w.watchName(name) || w.blind
		}
	}
}

// followMounts looks whenever the sandbox's mount table changes, which inside
// nobody can bring about. It sees what no notification tells, such as a change
// on another machine of a file system that both have mounted. Without /proc
// there is the notification alone.
func (w *watch) followMounts() {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/mountinfo", w.sandbox.init), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "mountinfo")
	raw, err := f.SyscallConn()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.ended {
		f.Close()
		return
	}
	w.mounts = f
	w.running.Go(func() {
		// It counts as readable at any time; a change wakes whoever waits, see
		// proc_pid_mounts(5).
		_ = raw.Read(func(uintptr) bool {
			w.look()
			return false
		})
	})
}
