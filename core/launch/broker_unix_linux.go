// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// connectUnix connects to a unix socket, if a process inside listens on it or
// it was granted.
func (b *broker) connectUnix(n *notification, listener, socket int, addr []byte) unix.Errno {
	if addr[2] == 0 {
		if f := b.sandbox.fence; f != nil {
			if !f.scoped {
				return unix.ECONNREFUSED
			}
			return b.connectSocket(n, listener, socket, addr) // Landlock's scope decides
		}
		if !b.network {
			// The name belongs to the network namespace of the socket itself.
			return b.connectSocket(n, listener, socket, addr)
		}
		if b.listensInside(socket, addr) {
			return b.connectSocket(n, listener, socket, addr)
		}
		return unix.ECONNREFUSED
	}
	name := string(addr[2:])
	if i := strings.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	errno := b.connectNamed(n, listener, socket, name)
	b.tellUnix(n, name, errno)
	return errno
}

// connectNamed connects to the socket of a path.
func (b *broker) connectNamed(n *notification, listener, socket int, name string) unix.Errno {
	inode, errno := resolveInside(int(n.pid), name)
	if errno != 0 {
		return errno
	}
	defer unix.Close(inode)
	if !n.valid(listener) {
		return unix.EINTR
	}
	var st unix.Stat_t
	if err := unix.Fstat(inode, &st); err != nil {
		return errnoOf(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return unix.ECONNREFUSED
	}
	target := sockaddrUnix(fmt.Sprintf("/proc/self/fd/%d", inode))
	for _, a := range b.allow {
		if a.Dev == st.Dev && a.Ino == st.Ino {
			return b.connectSocket(n, listener, socket, target)
		}
	}
	if f := b.sandbox.fence; f != nil {
		if !f.listens(b.diag, inode, &st, int(n.pid)) {
			return unix.EACCES
		}
	} else if b.network {
		if !b.listensInside(socket, target) {
			return unix.EACCES
		}
	} else if !b.diag.listens(inode, &st, int(n.pid)) {
		return unix.EACCES
	}
	return b.connectSocket(n, listener, socket, target)
}

func sockaddrUnix(name string) []byte {
	addr := binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX)
	return append(append(addr, name...), 0)
}

// resolveInside opens the inode of a socket's path as the thread would see it,
// without access: in its root, from its working directory.
func resolveInside(tid int, name string) (int, unix.Errno) {
	return openAsSeen(tid, name, false)
}

// openAsSeen is resolveInside for a name of which the last part may be a
// symbolic link that is meant itself.
func openAsSeen(tid int, name string, link bool) (int, unix.Errno) {
	proc := fmt.Sprintf("/proc/%d", tid)
	if rest, ok := descriptorPath(name); ok {
		// The usual way round the 108 bytes of a socket's path.
		number, below, _ := strings.Cut(rest, "/")
		at, err := os.Readlink(proc + "/fd/" + number)
		if err != nil {
			return -1, errnoOf(unwrapErrno(err))
		}
		name = path.Join(at, below)
	}
	if !path.IsAbs(name) {
		cwd, err := os.Readlink(proc + "/cwd")
		if err != nil {
			return -1, errnoOf(unwrapErrno(err))
		}
		name = path.Join(cwd, name) // the inode found is what is checked and connected to
	}
	root, err := unix.Open(proc+"/root", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	if link {
		how.Flags |= unix.O_NOFOLLOW
	}
	name = strings.TrimLeft(name, "/")
	if name == "" {
		name = "."
	}
	fd, err := unix.Openat2(root, name, &how)
	if err != nil {
		return -1, errnoOf(err)
	}
	return fd, 0
}

func descriptorPath(name string) (string, bool) {
	for _, prefix := range []string{"/proc/self/fd/", "/dev/fd/"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest, true
		}
	}
	return "", false
}

func unwrapErrno(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}

// listensInside connects a socket of its own first and asks who listens: it is
// used where the network namespace is the host's and cannot be asked.
func (b *broker) listensInside(socket int, addr []byte) bool {
	kind, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return false
	}
	probe, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(probe)
	if connectRaw(probe, addr) != 0 {
		return false
	}
	return madeBy(probe, b.sandbox.inside)
}

// soPeerPidfd is SO_PEERPIDFD of asm-generic/socket.h, Linux 6.5.
const soPeerPidfd = 77

// madeBy reports whether the process that made the socket listen which a socket
// is connected to is one of some. What listens may outlive it, as the socket of
// a daemon does, and its id become that of another process: one inside that
// waited for it. So the process must live, which its descriptor tells after the
// id was looked at. Where the kernel gives none, the id is all there is.
func madeBy(socket int, some func(pid int) bool) bool {
	cred, err := unix.GetsockoptUcred(socket, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || cred.Pid <= 0 {
		return false
	}
	fd, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, soPeerPidfd)
	if err == unix.ENOPROTOOPT {
		return some(int(cred.Pid))
	}
	if err != nil {
		return false // it ended, and was reaped
	}
	defer unix.Close(fd)
	return some(int(cred.Pid)) && unix.PidfdSendSignal(fd, 0, nil, 0) == nil
}
