// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"maps"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// noDump is FS_NODUMP_FL of linux/fs.h, an attribute without any effect here.
const noDump = 0x40

func systemOps() map[string]op {
	ops := unixOps()
	maps.Copy(ops, map[string]op{
		// exchange Path To: swap two names at once.
		"exchange": func(_ *Helper, r act.Request) act.Reply {
			return failed(unix.Renameat2(unix.AT_FDCWD, r.Path, unix.AT_FDCWD, r.To, unix.RENAME_EXCHANGE))
		},
		// reopen Path Data: hold the place without rights, then open it for
		// writing through /proc.
		"reopen": func(_ *Helper, r act.Request) act.Reply {
			fd, err := unix.Open(r.Path, unix.O_PATH, 0)
			if err != nil {
				return failed(err)
			}
			defer unix.Close(fd)
			return failed(writeFlags("/proc/self/fd/"+strconv.Itoa(fd), r.Data, os.O_WRONLY|os.O_TRUNC))
		},
		// flags Path: set the "no dump" attribute of a file.
		"flags": func(_ *Helper, r act.Request) act.Reply {
			f, err := os.Open(r.Path)
			if err != nil {
				return failed(err)
			}
			defer f.Close()
			old, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
			if err != nil {
				return failed(err)
			}
			return failed(unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(old|noDump)))
		},
		// allocate Path Num: make a file longer with fallocate.
		"allocate": func(_ *Helper, r act.Request) act.Reply {
			f, err := os.OpenFile(r.Path, os.O_WRONLY, 0)
			if err != nil {
				return failed(err)
			}
			defer f.Close()
			return failed(unix.Fallocate(int(f.Fd()), 0, 0, r.Num))
		},
		// mknod Path Nums: kind (S_IFCHR or S_IFBLK), major, minor.
		"mknod": func(_ *Helper, r act.Request) act.Reply {
			return failed(unix.Mknod(r.Path, uint32(r.Nums[0])|0o666, int(unix.Mkdev(uint32(r.Nums[1]), uint32(r.Nums[2])))))
		},
		// trace PID: attach to a process and let go of it again.
		"trace": func(_ *Helper, r act.Request) act.Reply { return failed(trace(r.PID)) },
		// peek PID Num: read the memory of a process at an address.
		"peek": func(_ *Helper, r act.Request) act.Reply {
			b := make([]byte, 64)
			n, err := unix.ProcessVMReadv(r.PID, []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}},
				[]unix.RemoteIovec{{Base: uintptr(r.Num), Len: len(b)}}, 0)
			reply := failed(err)
			reply.Data = b[:max(n, 0)]
			return reply
		},
		// mem PID Num: the same through /proc.
		"mem": func(_ *Helper, r act.Request) act.Reply {
			f, err := os.Open("/proc/" + strconv.Itoa(r.PID) + "/mem")
			if err != nil {
				return failed(err)
			}
			defer f.Close()
			b := make([]byte, 64)
			n, err := f.ReadAt(b, r.Num)
			reply := failed(err)
			reply.Data = b[:max(n, 0)]
			return reply
		},
		// limit PID Num: the soft limit of open files of a process.
		"limit": func(_ *Helper, r act.Request) act.Reply {
			return failed(unix.Prlimit(r.PID, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(r.Num), Max: uint64(r.Num)}, nil))
		},
		// affinity PID: bind a process to the first processor.
		"affinity": func(_ *Helper, r act.Request) act.Reply {
			var set unix.CPUSet
			set.Set(0)
			return failed(unix.SchedSetaffinity(r.PID, &set))
		},
		// pidfd PID Num: a signal by a process descriptor.
		"pidfd": func(_ *Helper, r act.Request) act.Reply {
			fd, err := unix.PidfdOpen(r.PID, 0)
			if err != nil {
				return failed(err)
			}
			defer unix.Close(fd)
			return failed(unix.PidfdSendSignal(fd, unix.Signal(r.Num), nil, 0))
		},
		// socket Nums: open a socket of a family, type and protocol.
		"socket": func(_ *Helper, r act.Request) act.Reply {
			fd, err := unix.Socket(int(r.Nums[0]), int(r.Nums[1]), int(r.Nums[2]))
			if err == nil {
				unix.Close(fd)
			}
			return failed(err)
		},
		// fastopen Addr Data: connect and send in one call.
		"fastopen": func(_ *Helper, r act.Request) act.Reply { return failed(fastOpen(r)) },
		// multipath Addr: connect by MPTCP, or by TCP where the host has none.
		"multipath": func(_ *Helper, r act.Request) act.Reply {
			d := net.Dialer{Timeout: patience}
			d.SetMultipathTCP(true)
			c, err := d.Dial("tcp4", r.Addr)
			if err == nil {
				c.Close()
			}
			return failed(err)
		},
		// capability: effective and permitted capabilities and no_new_privs.
		"capability": func(*Helper, act.Request) act.Reply {
			text, err := os.ReadFile("/proc/self/status")
			reply := failed(err)
			for line := range strings.Lines(string(text)) {
				for _, key := range []string{"CapEff:", "CapPrm:", "CapBnd:", "NoNewPrivs:"} {
					if rest, ok := strings.CutPrefix(line, key); ok {
						reply.List = append(reply.List, key+strings.TrimSpace(rest))
					}
				}
			}
			return reply
		},
		// mounts: the mount points that the helper sees, as List.
		"mounts": func(*Helper, act.Request) act.Reply {
			text, err := os.ReadFile("/proc/self/mounts")
			reply := failed(err)
			reply.List = strings.Split(strings.TrimSpace(string(text)), "\n")
			return reply
		},
		// bind Path To: mount a directory once more.
		"bind": func(_ *Helper, r act.Request) act.Reply {
			return failed(unix.Mount(r.Path, r.To, "", unix.MS_BIND, ""))
		},
		// createmode Path Num: create a file with a mode, whatever the umask.
		"createmode": func(_ *Helper, r act.Request) act.Reply {
			old := unix.Umask(0)
			defer unix.Umask(old)
			fd, err := unix.Open(r.Path, unix.O_CREAT|unix.O_WRONLY, uint32(r.Num))
			if err == nil {
				unix.Close(fd)
			}
			return failed(err)
		},
		// handle Path To: read a file by its handle, below a mount of To.
		"handle": func(_ *Helper, r act.Request) act.Reply {
			handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, r.Path, 0)
			if err != nil {
				return failed(err)
			}
			at, err := unix.Open(r.To, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				return failed(err)
			}
			defer unix.Close(at)
			fd, err := unix.OpenByHandleAt(at, handle, unix.O_RDONLY)
			if err != nil {
				return failed(err)
			}
			f := os.NewFile(uintptr(fd), r.Path)
			defer f.Close()
			return readAll(f)
		},
		// segment Num: make a System V segment with a key.
		"segment": func(_ *Helper, r act.Request) act.Reply {
			_, err := unix.SysvShmGet(int(r.Num), 4096, unix.IPC_CREAT|0o600)
			return failed(err)
		},
		// namespace: become somebody else in a new user namespace.
		"namespace": func(*Helper, act.Request) act.Reply {
			cmd := self("exit", "0")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
			return failed(cmd.Run())
		},
		// call Path Nums: a system call by name, see calls_linux.go.
		"call": func(_ *Helper, r act.Request) act.Reply { return call(r) },
		// shmread Num: read the text in a segment.
		"shmread": func(_ *Helper, r act.Request) act.Reply {
			id, err := unix.SysvShmGet(int(r.Num), 0, 0)
			if err != nil {
				return failed(err)
			}
			b, err := unix.SysvShmAttach(id, 0, 0)
			if err != nil {
				return failed(err)
			}
			defer unix.SysvShmDetach(b)
			return act.Reply{Data: append([]byte(nil), b[:min(len(b), 64)]...)}
		},
		// key Path: search the session's and user's keyrings for a key.
		"key": func(_ *Helper, r act.Request) act.Reply {
			var last error
			for _, ring := range []int{unix.KEY_SPEC_SESSION_KEYRING, unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING} {
				id, err := unix.KeyctlSearch(ring, "user", r.Path, 0)
				if err != nil {
					last = err
					continue
				}
				b := make([]byte, 64)
				n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, b, 0)
				reply := failed(err)
				reply.Data = b[:max(min(n, len(b)), 0)]
				return reply
			}
			return failed(last)
		},
	})
	return ops
}

// processes lists the command lines in /proc.
func processes() act.Reply {
	entries, err := os.ReadDir("/proc")
	reply := failed(err)
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
			reply.List = append(reply.List, e.Name()+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return reply
}

func trace(pid int) error {
	// Tracing is a matter of one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(pid); err != nil {
		return err
	}
	if err := unix.PtraceInterrupt(pid); err != nil {
		return err
	}
	if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != nil {
		return err
	}
	return unix.PtraceDetach(pid)
}

func fastOpen(r act.Request) error {
	addr, err := net.ResolveTCPAddr("tcp4", r.Addr)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte(r.Data), unix.MSG_FASTOPEN,
		&unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())})
}

func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
