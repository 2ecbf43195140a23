// SPDX-License-Identifier: Apache-2.0

//go:build unix

package inside

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

func errnoName(e syscall.Errno) string {
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return strconv.Itoa(int(e))
}

// hide makes a child hard to find: how is a list of "session", "group".
func hide(cmd *exec.Cmd, how []string) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:  slices.Contains(how, "session"),
		Setpgid: slices.Contains(how, "group"),
	}
}

// escape leaves the parent behind, or turns deaf to signals.
func escape(args []string) {
	if slices.Contains(args[1:], "deaf") {
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	}
	if i := slices.Index(args, "twice"); i >= 0 {
		cmd := self(append([]string{"beat"}, slices.Delete(slices.Clone(args), i, i+1)...)...)
		hide(cmd, []string{"session"})
		if cmd.Start() == nil {
			os.Exit(0)
		}
	}
}

func trapped() []os.Signal {
	return []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGWINCH}
}

func die(n int) {
	syscall.Kill(os.Getpid(), syscall.Signal(n))
	select {}
}

func kill(pid, n int) error {
	if n == 0 {
		n = int(syscall.SIGKILL)
	}
	return syscall.Kill(pid, syscall.Signal(n))
}

// openNonblock opens for reading, or else for writing, without waiting and
// without taking a terminal.
func openNonblock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err == nil {
		return f, nil
	}
	w, other := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if other == nil {
		return w, nil
	}
	return nil, err
}

// unixOps are the acts of Linux and macOS.
func unixOps() map[string]op {
	return map[string]op{
		"mkfifo": func(_ *Helper, r act.Request) act.Reply { return failed(unix.Mkfifo(r.Path, 0o666)) },
		// chown Path Nums: user and group, -1 for neither.
		"chown": func(_ *Helper, r act.Request) act.Reply {
			return failed(os.Lchown(r.Path, int(r.Nums[0]), int(r.Nums[1])))
		},
		// setxattr Path To Data
		"setxattr": func(_ *Helper, r act.Request) act.Reply {
			return failed(unix.Setxattr(r.Path, r.To, []byte(r.Data), 0))
		},
		// at Path To Data: write To below a descriptor of the directory Path.
		"at": func(_ *Helper, r act.Request) act.Reply { return failed(writeAt(r)) },
		// chdirs Path To Data: change into Path, then write To from there.
		"chdirs": func(_ *Helper, r act.Request) act.Reply {
			back, err := os.Getwd()
			if err != nil {
				return failed(err)
			}
			defer os.Chdir(back)
			if err := os.Chdir(r.Path); err != nil {
				return failed(err)
			}
			return failed(os.WriteFile(r.To, []byte(r.Data), 0o666))
		},
		// map Path Data: write through a shared mapping.
		"map": func(_ *Helper, r act.Request) act.Reply { return failed(writeMapped(r)) },
		// lock Path: take an exclusive lock on a file.
		"lock": func(_ *Helper, r act.Request) act.Reply {
			f, err := os.OpenFile(r.Path, os.O_RDWR|os.O_CREATE, 0o666)
			if err != nil {
				return failed(err)
			}
			defer f.Close()
			return failed(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
		},
		// packet Path Data: one datagram to a unix socket.
		"packet": func(_ *Helper, r act.Request) act.Reply {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
			if err != nil {
				return failed(err)
			}
			defer unix.Close(fd)
			return failed(unix.Sendto(fd, []byte(r.Data), 0, &unix.SockaddrUnix{Name: r.Path}))
		},
		// pair: whether both ends of a socket pair are usable.
		"pair": func(*Helper, act.Request) act.Reply {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return failed(err)
			}
			defer unix.Close(fds[0])
			defer unix.Close(fds[1])
			_, err = unix.Write(fds[0], []byte("x"))
			return failed(err)
		},
		// nice PID Num: set the priority of a process.
		"nice": func(_ *Helper, r act.Request) act.Reply {
			return failed(unix.Setpriority(unix.PRIO_PROCESS, r.PID, int(r.Num)))
		},
		// group: the process group of the helper, as Num.
		"group": func(*Helper, act.Request) act.Reply { return act.Reply{Num: int64(unix.Getpgrp())} },
		// ids: real and effective user, real and effective group, as Nums in List.
		"ids": func(*Helper, act.Request) act.Reply {
			var list []string
			for _, id := range []int{os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid()} {
				list = append(list, strconv.Itoa(id))
			}
			return act.Reply{List: list}
		},
		// descriptors: the open descriptors beyond 2 that the helper did not
		// open itself, as List with what each is. Go opens its own late.
		"descriptors": func(*Helper, act.Request) act.Reply { return act.Reply{List: inherited()} },
		// fdwrite Num Data
		"fdwrite": func(_ *Helper, r act.Request) act.Reply {
			_, err := unix.Write(int(r.Num), []byte(r.Data))
			return failed(err)
		},
		// fdread Num
		"fdread": func(_ *Helper, r act.Request) act.Reply {
			b := make([]byte, 512)
			n, err := unix.Read(int(r.Num), b)
			reply := failed(err)
			reply.Data = b[:max(n, 0)]
			return reply
		},
		// fdat Num To Data: write a file below the directory of a descriptor.
		"fdat": func(_ *Helper, r act.Request) act.Reply {
			fd, err := unix.Openat(int(r.Num), r.To, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o666)
			if err != nil {
				return failed(err)
			}
			defer unix.Close(fd)
			_, err = unix.Write(fd, []byte(r.Data))
			return failed(err)
		},
		// fdchmod Num Nums[0]: the mode of the file of a descriptor.
		"fdchmod": func(_ *Helper, r act.Request) act.Reply {
			return failed(unix.Fchmod(int(r.Num), uint32(r.Nums[0])))
		},
		// fdtruncate Num: cut the file of a descriptor to one byte.
		"fdtruncate": func(_ *Helper, r act.Request) act.Reply { return failed(unix.Ftruncate(int(r.Num), 1)) },
		// fdreopen Num Data: truncate the file of a descriptor through its alias
		// and write it anew.
		"fdreopen": func(_ *Helper, r act.Request) act.Reply {
			return failed(writeFlags("/dev/fd/"+strconv.FormatInt(r.Num, 10), r.Data, os.O_WRONLY|os.O_TRUNC))
		},
		// serve Path Data: a server on a unix socket that answers with Data.
		"serve": func(h *Helper, r act.Request) act.Reply {
			l, err := net.Listen("unix", r.Path)
			if err != nil {
				return failed(err)
			}
			h.held[r.Path] = l
			go answer(l, r.Data)
			return act.Reply{}
		},
		// inject Data Num: type into the controlling terminal; Num is added to
		// the number of the request (garbage in its upper half).
		"inject": func(_ *Helper, r act.Request) act.Reply { return failed(inject(r.Data, uint64(r.Num))) },
	}
}

func writeAt(r act.Request) error {
	dir, err := unix.Open(r.Path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, r.To, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(r.Data))
	return err
}

func writeMapped(r act.Request) error {
	f, err := os.OpenFile(r.Path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, len(r.Data), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	copy(b, r.Data)
	return errors.Join(unix.Msync(b, unix.MS_SYNC), unix.Munmap(b))
}

// inherited lists the descriptors from 3 to 1023 that are open and are not of
// Go's own making (its poller and wake-up descriptors).
func inherited() []string {
	var list []string
	for fd := 3; fd < 1024; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			continue
		}
		what, _ := os.Readlink(filepath.Join("/proc/self/fd", strconv.Itoa(fd)))
		if strings.Contains(what, "eventpoll") || strings.Contains(what, "eventfd") {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC != 0 {
			continue // an inherited descriptor came through an exec, so it lacks the flag
		}
		list = append(list, strconv.Itoa(fd)+" "+what)
	}
	return list
}

// lock holds a file as long as the process lives.
func lock(f *os.File) { unix.Flock(int(f.Fd()), unix.LOCK_EX) }

// spoil tries to change the file that is the standard input: its mode, its
// length, and its content through /dev/fd. It prints how often it could.
func spoil(h *Helper, _ []string) int {
	done := 0
	for _, r := range []act.Request{
		{Op: "fdchmod", Nums: []int64{0o400}}, {Op: "fdtruncate"}, {Op: "fdreopen", Data: "spoilt"},
	} {
		if h.perform(r).OK() {
			done++
		}
	}
	os.Stdout.WriteString(strconv.Itoa(done) + "\n")
	return 0
}

// terminal prints what the standard streams are: the role of the same name.
// Arguments: "size" waits for one change of the window and prints the size
// before and after; "raw" leaves the terminal raw; "foreground" tells whether
// it is the foreground job; "type TEXT GARBAGE" types into the terminal; "wait"
// waits for a signal.
func terminal(h *Helper, args []string) int {
	what := ""
	if len(args) > 0 {
		what = args[0]
	}
	for fd := range 3 {
		_, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		os.Stdout.WriteString(strconv.FormatBool(err == nil) + " ")
	}
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGWINCH)
	os.Stdout.WriteString(size() + " ready\n")
	switch what {
	case "size":
		<-c
		os.Stdout.WriteString("now " + size() + " done\n")
	case "raw":
		if err := makeRaw(0); err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			return 1
		}
	case "foreground":
		pgrp, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
		os.Stdout.WriteString("foreground " + strconv.FormatBool(err == nil && pgrp == unix.Getpgrp()) + "\n")
	case "type":
		garbage, _ := strconv.ParseInt(args[2], 0, 64)
		typed := h.perform(act.Request{Op: "inject", Data: args[1], Num: garbage})
		os.Stdout.WriteString("typed " + strconv.FormatBool(typed.OK()) + " done\n")
		signal.Reset()
		time.Sleep(time.Minute)
	case "wait":
		signal.Reset()
		time.Sleep(time.Minute)
	}
	return 0
}

func size() string {
	ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err != nil {
		return "none"
	}
	return strconv.Itoa(int(ws.Col)) + "x" + strconv.Itoa(int(ws.Row))
}
