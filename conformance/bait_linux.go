// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"math/rand/v2"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Numbers of linux/ipc.h, linux/mqueue.h and asm-generic/fcntl.h.
const (
	noWait   = unix.IPC_NOWAIT
	nonBlock = unix.O_RDONLY | unix.O_NONBLOCK
	// buffer stands for the helper's buffer among the numbers of a call.
	buffer = -1000
)

// ipcKey is a key that nothing else uses, with great likelihood.
func ipcKey() int64 { return int64(rand.Int32N(1<<30) + 1<<20) }

// hostMemory makes a System V segment that holds a secret; see shmget(2).
func (t *T) hostMemory(secret string) int64 {
	key := ipcKey()
	id, err := unix.SysvShmGet(int(key), 4096, unix.IPC_CREAT|unix.IPC_EXCL|0o666)
	if err != nil {
		t.Skip("the host has no System V shared memory: %v", err)
	}
	t.Cleanup(func() { unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
	b, err := unix.SysvShmAttach(id, 0, 0)
	t.must(err)
	copy(b, secret)
	t.must(unix.SysvShmDetach(b))
	return key
}

// segmentLeft reports whether there is a segment of a key, and removes it.
func segmentLeft(key int64) bool {
	id, err := unix.SysvShmGet(int(key), 0, 0)
	if err == nil {
		unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	}
	return err == nil
}

// hostSemaphore makes a System V semaphore.
func (t *T) hostSemaphore() int64 {
	key := ipcKey()
	remove, err := makeSemaphore(key)
	if err != nil {
		t.Skip("the host has no System V semaphores: %v", err)
	}
	t.Cleanup(remove)
	return key
}

// hostQueue makes a System V queue with one message.
func (t *T) hostQueue(secret string) int64 {
	key := ipcKey()
	remove, err := makeQueue(key, secret)
	if err != nil {
		t.Skip("the host has no System V queues: %v", err)
	}
	t.Cleanup(remove)
	return key
}

// hostNamedQueue makes a POSIX queue.
func (t *T) hostNamedQueue(name string) {
	remove, err := makeNamedQueue(name)
	if err != nil {
		t.Skip("the host has no POSIX queues: %v", err)
	}
	t.Cleanup(remove)
}

// hostKey adds a key to the user's keyring, see keyrings(7).
func (t *T) hostKey(name, secret string) {
	id, err := unix.AddKey("user", name, []byte(secret), unix.KEY_SPEC_USER_KEYRING)
	if err != nil {
		t.Skip("the host does not let keys be added: %v", err)
	}
	t.Cleanup(func() { unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0) })
	// The owner may search and read it without possessing the keyring.
	unix.KeyctlSetperm(id, 0x3f3f0000)
}

// unmount takes off whatever is mounted at a path.
func unmount(path string) {
	for unix.Unmount(path, unix.MNT_DETACH) == nil {
	}
}

// hasAttribute reports whether a file has an extended attribute.
func hasAttribute(path, name string) bool {
	b := make([]byte, 256)
	_, err := unix.Getxattr(path, name, b)
	return err == nil
}

// mountedBelow reports whether the host's mount table names a path.
func mountedBelow(path string) bool {
	text, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && strings.Contains(string(text), " "+path)
}
