// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// guard plays a sandbox in the helper: it asks the monitor before each act and
// commits the acts as the monitor says.
type guard struct {
	m     *fake.Monitor
	child bool
}

// plain are acts of the helper that are one act of the monitor on Path and To.
func plain() map[string]fake.Op {
	return map[string]fake.Op{
		"write": fake.Write, "create": fake.Create, "overwrite": fake.Change, "append": fake.Write, "fill": fake.Write,
		"truncate": fake.Truncate, "remove": fake.Remove, "removeall": fake.RemoveTree, "rename": fake.Rename, "link": fake.Link,
		"mkdir": fake.Directory, "mkdirall": fake.Directory, "chtimes": fake.Times, "chmod": fake.Mode, "read": fake.Read,
		"list": fake.List, "walk": fake.Walk, "stat": fake.Read, "readlink": fake.Look, "check": fake.Read, "device": fake.Device,
		"mkfifo": fake.Fifo, "chown": fake.Owner, "map": fake.Map, "lock": fake.Write, "exchange": fake.Exchange, "reopen": fake.Reopen,
		"flags": fake.Flags, "allocate": fake.Allocate, "mknod": fake.MakeDevice, "createmode": fake.Create, "handle": fake.Handle,
		"beat": fake.Write, "leave": fake.Write, "run": fake.Execute,
	}
}

// others are acts on no file.
func others(r *act.Request) (fake.Act, bool) {
	a := fake.Act{PID: r.PID, Num: r.Num, Net: r.Net, Addr: r.Addr}
	switch r.Op {
	case "dial":
		a.Op = fake.Connect
	case "reach":
		a.Op, a.Net, a.Name = fake.Connect, "tcp", "proxy"
	case "send":
		a.Op = fake.Send
	case "packet":
		a.Op, a.Net, a.Addr = fake.Send, "unixgram", r.Path
	case "serve":
		a.Op, a.Net, a.Addr = fake.Listen, "unix", r.Path
	case "listen":
		a.Op = fake.Listen
	case "lookup":
		a.Op = fake.Resolve
	case "fastopen":
		a.Op, a.Net = fake.FastOpen, "tcp4"
	case "multipath":
		a.Op, a.Net = fake.Multipath, "tcp4"
	case "interfaces":
		a.Op = fake.Interfaces
	case "socket":
		a.Op, a.Name = fake.Socket, familyName(r.Nums)
	case "kill":
		a.Op = fake.Signal
	case "pidfd":
		a.Op = fake.SignalFD
	case "trace":
		a.Op = fake.Trace
	case "peek", "mem":
		a.Op = fake.Memory
	case "nice":
		a.Op = fake.Priority
	case "limit", "affinity":
		a.Op = fake.LimitOf
	case "processes":
		a.Op = fake.Processes
	case "call":
		a.Op, a.Name = fake.Call, r.Path
	case "segment":
		a.Op = fake.Segment
	case "shmread":
		a.Op, a.Name = fake.Share, "segment"
	case "key":
		a.Op, a.Name = fake.Share, "key"
	case "namespace":
		a.Op = fake.Namespace
	case "bind":
		a.Op, a.To = fake.Mount, r.To
	case "inject":
		a.Op = fake.Type
	case "fdchmod", "fdtruncate", "fdreopen":
		a.Op = fake.Descriptor
	case "eat":
		a.Op = fake.Allot
	case "many":
		a.Op = fake.Fork
	case "child":
		a.Op, a.Num = fake.Fork, 1
	default:
		return a, false
	}
	return a, true
}

func familyName(nums []int64) string {
	switch {
	case nums[0] == 2 && nums[1] == 3:
		return "raw"
	case nums[0] == 17:
		return "packet"
	case nums[0] == 38:
		return "alg"
	case nums[0] == 40:
		return "vsock"
	case nums[0] == 16:
		return "netlink"
	}
	return ""
}

// Before asks the monitor.
func (g *guard) Before(r *act.Request) (*act.Reply, error) {
	switch r.Op {
	case "hello", "environ", "sleep", "group", "ids", "pair", "descriptors", "fdwrite", "fdread", "fdat", "mounts":
		return nil, nil
	case "capability":
		return g.capability()
	case "symlink":
		a, err := g.decide(fake.Act{Op: fake.Symlink, To: r.To})
		r.To = a.To
		return nil, err
	case "race":
		_, err := g.decide(fake.Act{Op: fake.Write, Path: r.Path, Swap: r.To})
		return nil, err
	case "at", "chdirs":
		a, err := g.decide(fake.Act{Op: fake.Write, Path: filepath.Join(r.Path, r.To), Relative: true})
		r.Path, r.To = filepath.Dir(a.Path), filepath.Base(a.Path)
		return nil, err
	case "setxattr":
		a, err := g.decide(fake.Act{Op: fake.Attribute, Path: r.Path, Name: r.To})
		r.Path = a.Path
		return nil, err
	}
	if op, ok := plain()[r.Op]; ok {
		a, err := g.decide(fake.Act{Op: op, Path: r.Path, To: r.To, Num: r.Num})
		if err == nil && (r.Op == "run" || r.Op == "leave") {
			_, err = g.decide(fake.Act{Op: fake.Fork, Num: 1})
		}
		r.Path, r.To = a.Path, a.To
		return nil, err
	}
	a, ok := others(r)
	if !ok {
		return nil, fmt.Errorf("fake: the guard does not know the act %s", r.Op)
	}
	return g.other(r, a)
}

// other decides on what is no file, and answers where a sandbox would show
// something of its own.
func (g *guard) other(r *act.Request, a fake.Act) (*act.Reply, error) {
	a, err := g.decide(a)
	if err != nil {
		switch a.Op {
		case fake.Processes:
			reply := &act.Reply{}
			for _, p := range g.m.Entered() {
				reply.List = append(reply.List, strconv.Itoa(p.PID)+" "+p.Command)
			}
			return reply, nil
		case fake.Interfaces:
			return &act.Reply{List: []string{"127.0.0.1/8"}}, nil
		}
		return nil, err
	}
	switch r.Op {
	case "packet", "serve":
		r.Path = a.Addr
	case "dial", "send", "listen":
		r.Net, r.Addr = a.Net, a.Addr
	}
	if a.Op == fake.Listen {
		err = g.m.Serve(a.Addr)
	}
	return nil, err
}

// capability is the answer of a process that may gain nothing, or of the kernel
// where a leak is to be seen.
func (g *guard) capability() (*act.Reply, error) {
	_, executing := g.decide(fake.Act{Op: fake.Privilege, Name: "executing"})
	_, capabilities := g.decide(fake.Act{Op: fake.Privilege, Name: "capabilities"})
	if executing == nil || capabilities == nil {
		return nil, nil
	}
	return &act.Reply{List: []string{"CapEff:0000000000000000", "NoNewPrivs:1"}}, nil
}

// decide asks the monitor and notes what it denies.
func (g *guard) decide(a fake.Act) (fake.Act, error) {
	a.Child = g.child
	commit, err := g.m.Decide(a)
	var denied *fake.Denied
	switch {
	case errors.As(err, &denied) && denied.Guarantee != "":
		g.report(a.Op, denied.Target)
	case err == nil && g.m.Leaky("denials.noise"):
		g.report(a.Op, a.Path)
	}
	return commit, err
}

// report notes a denial for whoever waits for the command.
func (g *guard) report(op fake.Op, target string) {
	const enough = 64
	looks := []fake.Op{fake.Read, fake.List, fake.Walk, fake.Look, fake.Execute}
	changes := []fake.Op{fake.Change, fake.Truncate, fake.Mode, fake.Times, fake.Owner, fake.Attribute, fake.Remove, fake.RemoveTree, fake.Rename}
	switch {
	case g.m.Leaky("denials.silent"), op == fake.Connect && g.m.Leaky("denials.files-only"),
		slices.Contains(looks, op) && g.m.Leaky("denials.writes-only"), slices.Contains(changes, op) && g.m.Leaky("denials.creates-only"):
		return
	}
	if !g.m.Leaky("denials.raw") {
		target = strconv.QuoteToASCII(target)
		target = target[1 : len(target)-1]
	}
	name := filepath.Join(g.m.Dir, "denials")
	if text, err := os.ReadFile(name); err == nil && bytes.Count(text, []byte("\x00")) >= enough && !g.m.Leaky("denials.unbounded") {
		return
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err == nil {
		fmt.Fprint(f, target+"\x00")
		f.Close()
	}
}
