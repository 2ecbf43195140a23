// SPDX-License-Identifier: Apache-2.0

package sbpleval

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Access is one operation that a system call asks for.
type Access struct {
	Op      string
	Request Request
}

// Allowed reports whether all operations of a system call are allowed.
func (p *Profile) Allowed(m Model, list []Access) bool {
	return !slices.ContainsFunc(list, func(a Access) bool { return !p.Decide(m, a.Op, a.Request) })
}

// Lower gives the operations that an act asks for. Acts are named after system
// calls; acts on files fail here where the kernel would fail for another reason
// than the sandbox, such as a missing file, so that a denial is never one of
// those.
//
// What rename, link, clonefile and calls on sockets ask for was measured by
// others; the rest is inferred from the names of the operations.
func (w *World) Lower(act string, args ...string) ([]Access, error) {
	if ops, ok := fileActs()[act]; ok {
		return w.onFile(act, ops, args)
	}
	switch act {
	case "create", "mkdir", "symlink", "mkfifo":
		return w.create(args)
	case "rename", "swap", "link", "clone":
		return w.two(act, args)
	case "connect", "bind", "listen":
		return w.socket(act, args)
	case "ioctl":
		return w.ioctl(args)
	case "openpty":
		return w.openpty()
	}
	if len(args) != 1 {
		return nil, fmt.Errorf("%s has %d arguments", act, len(args))
	}
	return other(act, args[0])
}

// act is how a path is looked up, and the operations on what is found.
type fileAct struct {
	ops  []string
	link bool // a symbolic link in the last place is the object itself
}

func fileActs() map[string]fileAct {
	return map[string]fileAct{
		"read":       {ops: []string{"file-read-data"}},
		"list":       {ops: []string{"file-read-data"}},
		"stat":       {ops: []string{"file-read-metadata"}},
		"lstat":      {ops: []string{"file-read-metadata"}, link: true},
		"getxattr":   {ops: []string{"file-read-xattr"}},
		"write":      {ops: []string{"file-write-data"}},
		"truncate":   {ops: []string{"file-write-data"}},
		"unlink":     {ops: []string{"file-write-unlink"}, link: true},
		"rmdir":      {ops: []string{"file-write-unlink"}, link: true},
		"chmod":      {ops: []string{"file-write-mode"}},
		"setuid-bit": {ops: []string{"file-write-mode", "file-write-setugid"}},
		"chown":      {ops: []string{"file-write-owner"}},
		"chflags":    {ops: []string{"file-write-flags"}},
		"utimes":     {ops: []string{"file-write-times"}},
		"setxattr":   {ops: []string{"file-write-xattr"}},
		"setacl":     {ops: []string{"file-write-acl"}},
		"finderinfo": {ops: []string{"file-write-finderinfo"}},
		"exec":       {ops: []string{"process-exec*", "file-read-data", "file-map-executable"}},
		"map":        {ops: []string{"file-read-data", "file-map-executable"}},
		"mount":      {ops: []string{"file-mount"}},
		"unmount":    {ops: []string{"file-unmount"}},
		"chroot":     {ops: []string{"file-chroot"}},
		"revoke":     {ops: []string{"file-revoke"}},
		"searchfs":   {ops: []string{"file-search"}},
		"extension":  {ops: []string{"file-issue-extension"}},
	}
}

func (w *World) onFile(act string, a fileAct, args []string) ([]Access, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("%s has %d arguments", act, len(args))
	}
	f, exists, err := w.lookup(args[0], !a.link)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, fmt.Errorf("%s: there is no %s", act, args[0])
	}
	var list []Access
	for _, op := range a.ops {
		list = append(list, Access{op, f.request()})
	}
	return list, nil
}

func (f file) request() Request { return Request{Path: f.path, Type: f.kind} }

func (w *World) create(args []string) ([]Access, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("create has %d arguments", len(args))
	}
	f, exists, err := w.lookup(args[0], true)
	if err != nil {
		return nil, err
	}
	if exists {
		return nil, fmt.Errorf("create: %s is there", args[0])
	}
	return []Access{{"file-write-create", f.request()}}, nil
}

func (w *World) two(act string, args []string) ([]Access, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("%s has %d arguments", act, len(args))
	}
	from, exists, err := w.lookup(args[0], false)
	if err != nil || !exists {
		return nil, fmt.Errorf("%s: there is no %s, %v", act, args[0], err)
	}
	to, there, err := w.lookup(args[1], false)
	if err != nil {
		return nil, err
	}
	if !there {
		to.kind = from.kind
	}
	create := Access{"file-write-create", to.request()}
	switch act {
	case "rename":
		list := []Access{{"file-write-unlink", from.request()}, create}
		if there {
			list = append(list, Access{"file-write-unlink", to.request()})
		}
		return list, nil
	case "swap":
		if !there {
			return nil, fmt.Errorf("swap: there is no %s", args[1])
		}
		return []Access{
			{"file-write-unlink", from.request()}, {"file-write-create", from.request()},
			{"file-write-unlink", to.request()}, create,
		}, nil
	}
	if there {
		return nil, fmt.Errorf("%s: %s is there", act, args[1])
	}
	if act == "link" {
		if from.kind == "DIRECTORY" {
			return nil, fmt.Errorf("link: %s is a directory", args[0])
		}
		return []Access{{"file-link", from.request()}, create}, nil
	}
	return []Access{{"file-clone", from.request()}, {"file-read-data", from.request()}, create}, nil
}

// socket lowers calls on "tcp HOST:PORT", "udp HOST:PORT" and "unix PATH". A
// listener needs both to bind and to take what comes in.
func (w *World) socket(act string, args []string) ([]Access, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("%s has %d arguments", act, len(args))
	}
	var list []Access
	end := args[0] + " " + args[1]
	if args[0] == "unix" {
		f, exists, err := w.lookup(args[1], true)
		if err != nil {
			return nil, err
		}
		if !exists && act == "connect" {
			return nil, fmt.Errorf("connect: there is no %s", args[1])
		}
		end = "unix " + f.path
		list = append(list, Access{"system-socket", Request{Domain: "AF_UNIX"}})
	}
	switch act {
	case "connect":
		return append(list, Access{"network-outbound", Request{Remote: end}}), nil
	case "listen":
		list = append(list, Access{"network-inbound", Request{Local: end}})
	}
	return append(list, Access{"network-bind", Request{Local: end}}), nil
}

func (w *World) ioctl(args []string) ([]Access, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("ioctl has %d arguments", len(args))
	}
	list, err := w.onFile("ioctl", fileAct{ops: []string{"file-ioctl"}}, args[:1])
	if err != nil {
		return nil, err
	}
	command, ok := map[string]uint64{"TIOCSTI": 0x80017472, "TIOCSETA": 0x80487414, "TIOCGWINSZ": 0x40087468}[args[1]]
	if !ok {
		return nil, fmt.Errorf("ioctl: %s is unknown", args[1])
	}
	list[0].Request.Ioctl = command
	return list, nil
}

// openpty makes a terminal: the kernel marks its other end as handed out to
// whoever opened this one.
func (w *World) openpty() ([]Access, error) {
	list := []Access{{"pseudo-tty", Request{}}}
	master := Request{Path: "/dev/ptmx", Type: "CHARACTER-DEVICE"}
	slave := Request{Path: "/dev/ttys042", Type: "CHARACTER-DEVICE", Extensions: []string{"com.apple.sandbox.pty"}}
	for _, r := range []Request{master, slave} {
		for _, op := range []string{"file-read-data", "file-write-data", "file-ioctl"} {
			list = append(list, Access{op, r})
		}
	}
	return list, nil
}

func other(act, arg string) ([]Access, error) {
	named := map[string]string{
		"mach": "mach-lookup", "mach-register": "mach-register", "sysctl": "sysctl-read", "sysctl-write": "sysctl-write",
		"sem_open": "ipc-posix-sem-open", "shm-read": "ipc-posix-shm-read-data", "shm-create": "ipc-posix-shm-write-create",
		"shm-write": "ipc-posix-shm-write-data", "shm-unlink": "ipc-posix-shm-write-unlink", "shmget": "ipc-sysv-shm",
		"msgget": "ipc-sysv-msg", "semget": "ipc-sysv-sem", "iokit": "iokit-open", "defaults-read": "user-preference-read",
		"defaults-write": "user-preference-write", "open": "lsopen", "osascript": "appleevent-send", "launchd-job": "job-creation",
		"nvram": "nvram*", "authorize": "authorization-right-obtain", "snapshot": "fs-snapshot*", "kext": "system-kext*",
		"sched": "system-sched", "mac_syscall": "system-mac-syscall", "set-time": "system-set-time", "debug": "system-debug",
	}
	targets := map[string]string{
		"kill": "signal", "proc_pidinfo": "process-info-pidinfo", "proc_listpids": "process-info-listpids", "setcontrol": "process-info-setcontrol",
		"rusage": "process-info-rusage", "task_for_pid": "mach-priv-task-port", "task_name_for_pid": "mach-task-name",
	}
	switch {
	case named[act] != "":
		return []Access{{named[act], Request{Name: arg}}}, nil
	case targets[act] != "":
		return []Access{{targets[act], Request{Target: arg}}}, nil
	}
	switch act {
	case "fork":
		return []Access{{"process-fork", Request{}}}, nil
	case "socket":
		domain, protocol, _ := strings.Cut(arg, ":")
		number, err := strconv.Atoi(protocol)
		if protocol != "" && err != nil {
			return nil, err
		}
		return []Access{{"system-socket", Request{Domain: domain, Protocol: number}}}, nil
	case "mknod":
		return []Access{{"file-mknod", Request{Path: arg, Type: "BLOCK-DEVICE"}}}, nil
	}
	return nil, fmt.Errorf("the act %q is unknown", act)
}
