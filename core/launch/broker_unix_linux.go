// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
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
	if b.network {
		if !b.listensInside(socket, target) {
			return unix.EACCES
		}
	} else if !b.sandbox.listening(inode, &st) {
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
	fd, err := unix.Openat2(root, strings.TrimLeft(name, "/"), &how)
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
	cred, err := unix.GetsockoptUcred(probe, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return err == nil && cred.Pid > 0 && b.sandbox.inside(int(cred.Pid))
}

// Numbers of sock_diag(7).
const (
	diagByFamily    = 20
	diagShowVFS     = 2
	diagAttrVFS     = 1
	diagStateListen = 1 << 10
)

// listening asks the sandbox's network namespace, by unix_diag of
// sock_diag(7), whether a socket listens on an inode.
func (s *Sandbox) listening(inode int, st *unix.Stat_t) bool {
	s.diagMu.Lock()
	defer s.diagMu.Unlock()
	request := make([]byte, 16+24)
	ne := binary.NativeEndian
	ne.PutUint32(request, uint32(len(request)))
	ne.PutUint16(request[4:], diagByFamily)
	ne.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[16] = unix.AF_UNIX
	ne.PutUint32(request[20:], diagStateListen)
	ne.PutUint32(request[28:], diagShowVFS)
	if err := unix.Sendto(s.diag, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false
	}
	found := false
	buf := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(s.diag, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false
		}
		for msg := buf[:n]; len(msg) >= 16; {
			size := int(ne.Uint32(msg))
			if size < 16 || size > len(msg) {
				return false
			}
			switch ne.Uint16(msg[4:]) {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				return found
			case diagByFamily:
				found = found || s.boundTo(msg[16:size], inode, st)
			}
			msg = msg[min((size+3)&^3, len(msg)):]
		}
	}
}

// boundTo reads a struct unix_diag_msg and its attributes.
func (s *Sandbox) boundTo(msg []byte, inode int, st *unix.Stat_t) bool {
	ne := binary.NativeEndian
	for attr := msg[min(16, len(msg)):]; len(attr) >= 4; {
		size := int(ne.Uint16(attr))
		if size < 4 || size > len(attr) {
			return false
		}
		if ne.Uint16(attr[2:]) == diagAttrVFS && size >= 12 {
			ino, dev := ne.Uint32(attr[4:]), ne.Uint32(attr[8:])
			if ino != uint32(st.Ino) {
				return false
			}
			// The kernel's own form of a device number: 12 bits and 20 bits.
			return dev == unix.Major(st.Dev)<<20|unix.Minor(st.Dev) || fmt.Sprintf("%d:%d", dev>>20, dev&(1<<20-1)) == s.superblock(inode)
		}
		attr = attr[min((size+3)&^3, len(attr)):]
	}
	return false
}

// superblock is the device of the file system that an inode lies on, as in
// mountinfo. On btrfs and overlay it differs from that of stat(2).
func (s *Sandbox) superblock(fd int) string {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return ""
	}
	_, rest, ok := bytes.Cut(info, []byte("mnt_id:\t"))
	if !ok {
		return ""
	}
	id, _, _ := bytes.Cut(rest, []byte("\n"))
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", s.init))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == string(id) {
			return f[2]
		}
	}
	return ""
}
