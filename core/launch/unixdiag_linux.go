// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Numbers of sock_diag(7).
const (
	diagByFamily    = 20
	diagShowVFS     = 2
	diagAttrVFS     = 1
	diagStateListen = 1 << 10
)

// unixDiag is a netlink socket of a network namespace, which can be asked for
// the unix sockets in it.
type unixDiag struct {
	mu sync.Mutex
	fd int
}

func (d *unixDiag) close() {
	if d != nil {
		unix.Close(d.fd)
	}
}

// listens reports whether a socket listens on an inode, see listeners.
func (d *unixDiag) listens(inode int, st *unix.Stat_t, tid int) bool {
	return len(d.listeners(inode, st, tid)) > 0
}

// listeners asks, by unix_diag of sock_diag(7), which sockets listen on an
// inode that was found through the mounts of a thread. It returns their numbers.
func (d *unixDiag) listeners(inode int, st *unix.Stat_t, tid int) []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	request := make([]byte, 16+24)
	ne := binary.NativeEndian
	ne.PutUint32(request, uint32(len(request)))
	ne.PutUint16(request[4:], diagByFamily)
	ne.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[16] = unix.AF_UNIX
	ne.PutUint32(request[20:], diagStateListen)
	ne.PutUint32(request[28:], diagShowVFS)
	if err := unix.Sendto(d.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil
	}
	var found []uint32
	buf := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(d.fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil
		}
		for msg := buf[:n]; len(msg) >= 16; {
			size := int(ne.Uint32(msg))
			if size < 16 || size > len(msg) {
				return nil
			}
			switch ne.Uint16(msg[4:]) {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				return found
			case diagByFamily:
				if one := msg[16:size]; len(one) >= 8 && boundTo(one, inode, st, tid) {
					found = append(found, ne.Uint32(one[4:]))
				}
			}
			msg = msg[min((size+3)&^3, len(msg)):]
		}
	}
}

// boundTo reads a struct unix_diag_msg and its attributes.
func boundTo(msg []byte, inode int, st *unix.Stat_t, tid int) bool {
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
			return dev == unix.Major(st.Dev)<<20|unix.Minor(st.Dev) || fmt.Sprintf("%d:%d", dev>>20, dev&(1<<20-1)) == superblock(inode, tid)
		}
		attr = attr[min((size+3)&^3, len(attr)):]
	}
	return false
}

// superblock is the device of the file system that an inode lies on, as in
// the mountinfo of a thread that sees it. On btrfs and overlay it differs from
// that of stat(2).
func superblock(fd, tid int) string {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return ""
	}
	_, rest, ok := bytes.Cut(info, []byte("mnt_id:\t"))
	if !ok {
		return ""
	}
	id, _, _ := bytes.Cut(rest, []byte("\n"))
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", tid))
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
