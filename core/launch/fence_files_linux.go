// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
)

// Landlock does not cover the mode, owner and times of files, nor watching
// them, nor before Linux 6.2 truncating them. The supervisor answers those calls: it resolves what is meant to a
// descriptor without access, judges that by its path, as Landlock would, and
// acts on it from the agent. It never lets a call continue: the kernel would
// read names and descriptors again.

// listens reports whether the sockets that listen on an inode are processes' of
// the sandbox: each must be open in one of them. To connect and ask would be to
// reach what must not be reached.
func (f *fence) listens(diag *unixDiag, inode int, st *unix.Stat_t, tid int) bool {
	sockets := diag.listeners(inode, st, tid)
	return len(sockets) > 0 && !slices.ContainsFunc(sockets, func(number uint32) bool { return !f.hasSocket(number) })
}

// hasSocket looks for a socket among the descriptors of what is inside.
func (f *fence) hasSocket(number uint32) (found bool) {
	f.eachSocket(func(pid int, have uint64) bool {
		found = have == uint64(number) && f.holds(pid) // and is still itself
		return !found
	})
	return found
}

// eachSocket visits the sockets that processes inside have, by the process and
// the number of the socket, until a visit returns false.
func (f *fence) eachSocket(visit func(pid int, number uint64) bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !f.holds(pid) {
			continue
		}
		fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)) // of what is gone meanwhile there are none
		for _, fd := range fds {
			if fd, err := strconv.Atoi(fd.Name()); err == nil {
				if number, errno := socketNumber(pid, fd); errno == 0 && !visit(pid, number) {
					return
				}
			}
		}
	}
}

// request is one call that is answered, taken apart.
type request struct {
	what   string // "mode", "owner", "times", "size" or "watch"
	fd     int    // of the command: the file, or the directory of a relative name
	name   uint64 // address, 0: the file is fd itself
	link   bool   // a symbolic link itself is meant
	mode   uint32
	uid    int
	gid    int
	times  uint64 // address, 0: now
	size   int    // of the times, in bytes
	micro  bool   // they count microseconds
	length int64  // to truncate to
	mask   uint32 // of the watch
	watch  int    // descriptor of the watcher
	strict bool   // an empty name means fd
}

// parse takes a notification apart by the name of the call.
func parse(n *notification) (r request, ok bool) {
	a := func(i int) int { return int(int32(n.args[i])) }
	at := func(i int, flags int) {
		r.fd, r.name = a(i), n.args[i+1]
		r.link = flags&unix.AT_SYMLINK_NOFOLLOW != 0
		r.strict = flags&unix.AT_EMPTY_PATH != 0
	}
	plain := func(link bool) { r.fd, r.name, r.link = unix.AT_FDCWD, n.args[0], link }
	owner := func(i int) { r.what, r.uid, r.gid = "owner", a(i), a(i+1) }
	mode := func(i int) { r.what, r.mode = "mode", uint32(n.args[i])&0o7777 }
	times := func(i, size int, micro bool) { r.what, r.times, r.size, r.micro = "times", n.args[i], size, micro }
	const utimbuf, pair = 16, 32 // sizes of struct utimbuf, and of two timevals or timespecs
	switch callName(int(n.nr)) {
	case "chmod":
		plain(false)
		mode(1)
	case "fchmod":
		r.fd = a(0)
		mode(1)
	case "fchmodat":
		at(0, 0)
		mode(2)
	case "fchmodat2":
		at(0, a(3))
		mode(2)
	case "chown":
		plain(false)
		owner(1)
	case "lchown":
		plain(true)
		owner(1)
	case "fchown":
		r.fd = a(0)
		owner(1)
	case "fchownat":
		at(0, a(4))
		owner(2)
	case "utime":
		plain(false)
		times(1, utimbuf, false)
	case "utimes":
		plain(false)
		times(1, pair, true)
	case "futimesat":
		at(0, 0)
		times(2, pair, true)
	case "utimensat":
		at(0, a(3))
		times(2, pair, false)
	case "truncate":
		plain(false)
		r.what, r.length = "size", int64(n.args[1])
	case "inotify_add_watch":
		r.what, r.watch, r.mask = "watch", a(0), uint32(n.args[2])
		r.fd, r.name, r.link = unix.AT_FDCWD, n.args[1], r.mask&unix.IN_DONT_FOLLOW != 0
	default:
		return r, false
	}
	return r, true
}

// answered are the calls that a plan may have the supervisor answer beside
// connect.
func answered() []string {
	return []string{"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat",
		"utime", "utimes", "futimesat", "utimensat", "truncate", "inotify_add_watch"}
}

func callName(nr int) string {
	for _, name := range answered() {
		if have, ok := seccomp.Number(name, runtime.GOARCH); ok && have == nr {
			return name
		}
	}
	return ""
}

// change does the call of a notification.
func (f *fence) change(n *notification, listener int) (int64, unix.Errno) {
	r, ok := parse(n)
	if !ok {
		return 0, unix.ENOSYS
	}
	times, errno := readTimes(n, r)
	if errno != 0 {
		return 0, errno
	}
	file, errno := r.open(int(n.pid))
	if errno != 0 {
		return 0, errno
	}
	defer unix.Close(file)
	if !n.valid(listener) {
		return 0, unix.EINTR
	}
	if r.what == "watch" {
		return f.watch(n, r, file, listener)
	}
	if !f.mayChange(file) {
		return 0, unix.EPERM
	}
	errno = unix.EPERM
	f.agent.do(func() { errno = r.act(file, times) })
	return 0, errno
}

// mayChange reports whether commands may write what a descriptor is of. A file
// without a name keeps the directory of its last one.
func (f *fence) mayChange(file int) bool {
	var st unix.Stat_t
	if unix.Fstat(file, &st) != nil {
		return false
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK, unix.S_IFIFO, unix.S_IFSOCK:
	default:
		return false // a device
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file))
	if err != nil || !f.rules.Allows(name, "write_file") {
		return false
	}
	return !slices.ContainsFunc(f.protected, func(p string) bool {
		return name == p || strings.HasPrefix(name, p+"/")
	})
}

// act changes what the descriptor is of, by the call of the same meaning.
func (r request) act(file int, times []unix.Timespec) unix.Errno {
	var err error
	switch r.what {
	case "mode":
		var st unix.Stat_t
		if err = unix.Fstat(file, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return unix.EOPNOTSUPP
		}
		err = unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", file), r.mode)
	case "owner":
		err = unix.Fchownat(file, "", r.uid, r.gid, unix.AT_EMPTY_PATH)
	case "times":
		err = unix.UtimesNanoAt(file, "", times, unix.AT_EMPTY_PATH)
	case "size":
		err = unix.Truncate(fmt.Sprintf("/proc/self/fd/%d", file), r.length)
	}
	if err != nil {
		return errnoOf(err)
	}
	return 0
}

// watch adds a watch to a watcher of the command, for what it may read.
func (f *fence) watch(n *notification, r request, file, listener int) (int64, unix.Errno) {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file))
	if err != nil || !f.rules.Allows(name, "read_dir") {
		return 0, unix.EACCES
	}
	watcher, errno := takeDescriptor(int(n.pid), r.watch)
	if errno != 0 {
		return 0, errno
	}
	defer unix.Close(watcher)
	if !n.valid(listener) {
		return 0, unix.EINTR
	}
	wd, errno := -1, unix.EACCES
	f.agent.do(func() {
		wd, err = unix.InotifyAddWatch(watcher, fmt.Sprintf("/proc/self/fd/%d", file), r.mask&^unix.IN_DONT_FOLLOW)
		if errno = 0; err != nil {
			errno = errnoOf(err)
		}
	})
	return int64(wd), errno
}

// open opens what a call means, without access.
func (r request) open(tid int) (int, unix.Errno) {
	name := ""
	if r.name != 0 {
		text, errno := readString(tid, r.name)
		if errno != 0 {
			return -1, errno
		}
		if text == "" && !r.strict {
			return -1, unix.ENOENT
		}
		name = text
	}
	if name == "" {
		if r.fd == unix.AT_FDCWD {
			return openAsSeen(tid, ".", false)
		}
		return openDescriptor(tid, r.fd)
	}
	if !path.IsAbs(name) && r.fd != unix.AT_FDCWD {
		at, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, r.fd))
		if err != nil {
			return -1, unix.EBADF
		}
		name = at + "/" + name
	}
	if rest, ok := descriptorPath(name); ok && !strings.Contains(rest, "/") {
		var number int
		if _, err := fmt.Sscanf(rest, "%d", &number); err != nil {
			return -1, unix.ENOENT
		}
		return openDescriptor(tid, number)
	}
	return openAsSeen(tid, name, r.link)
}

// openDescriptor opens what a descriptor of a thread is of.
func openDescriptor(tid, fd int) (int, unix.Errno) {
	file, err := unix.Open(fmt.Sprintf("/proc/%d/fd/%d", tid, fd), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return -1, unix.EBADF
	}
	if err != nil {
		return -1, errnoOf(err)
	}
	return file, 0
}

// readString reads a path of a thread's memory, page by page: what follows it
// may not be there.
func readString(tid int, at uint64) (string, unix.Errno) {
	var text []byte
	for len(text) < unix.PathMax {
		size := 256 - int(at%256) // never across a page
		part := make([]byte, size)
		if errno := readMemory(tid, at, part); errno != 0 {
			return "", errno
		}
		if i := slices.Index(part, 0); i >= 0 {
			return string(append(text, part[:i]...)), 0
		}
		text, at = append(text, part...), at+uint64(size)
	}
	return "", unix.ENAMETOOLONG
}

// readTimes reads the two times of a call in the form of utimensat(2).
func readTimes(n *notification, r request) ([]unix.Timespec, unix.Errno) {
	now := unix.Timespec{Nsec: unix.UTIME_NOW}
	if r.what != "times" || r.times == 0 {
		return []unix.Timespec{now, now}, 0
	}
	raw := make([]byte, r.size)
	if errno := readMemory(int(n.pid), r.times, raw); errno != 0 {
		return nil, errno
	}
	word := func(i int) int64 { return int64(binary.NativeEndian.Uint64(raw[8*i:])) }
	switch {
	case r.size == 16: // seconds
		return []unix.Timespec{{Sec: word(0)}, {Sec: word(1)}}, 0
	case r.micro:
		for _, i := range []int{1, 3} {
			if word(i) < 0 || word(i) >= 1_000_000 {
				return nil, unix.EINVAL
			}
		}
		return []unix.Timespec{{Sec: word(0), Nsec: word(1) * 1000}, {Sec: word(2), Nsec: word(3) * 1000}}, 0
	}
	return []unix.Timespec{{Sec: word(0), Nsec: word(1)}, {Sec: word(2), Nsec: word(3)}}, 0
}
