// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

const (
	meansProcess = "A command can stop, change or read the programs of its user: the agent itself, a browser, a key agent. Whoever can trace a process has all of its rights."
	meansList    = "A command can see what else runs, with command lines that may hold secrets."
	meansTree    = "What a command left behind goes on after its end, unseen: it can wait until the sandbox's holds are gone."
)

func untouchableCases() []Case {
	touch := func(id, title, seen string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.OutsideUntouchable, Clause: string(guarantee.OutsideUntouchable),
			Requirement: Must, Needs: needs, Meaning: meansProcess, Seen: seen, run: run}
	}
	linux, unix := []Need{NeedLinux}, []Need{NeedUnix}
	hit := func(r func(pid int) act.Request) func(*T) {
		return func(t *T) {
			v := t.victim()
			t.Do(r(v.pid()))
			t.Harm(v.hit(), "the process outside got the signal")
		}
	}
	// reads is an act whose answer must not hold the victim's secret.
	reads := func(r func(pid int) act.Request) func(*T) {
		return func(t *T) {
			secret := t.Secret()
			v := t.victim("BAIT_WORD=" + secret)
			t.Harm(tells(t.Do(r(v.pid())), secret), "the memory or environment of a process outside was read")
		}
	}
	memory := func(op string) func(*T) {
		return func(t *T) {
			secret := t.Secret()
			v := t.victim("BAIT_WORD=" + secret)
			at, ok := findEnvironment(v.pid(), "BAIT_WORD="+secret)
			if !ok {
				t.Skip("the host does not let its own user read a process's memory")
			}
			t.Harm(tells(t.Do(act.Request{Op: op, PID: v.pid(), Num: at}), secret), "the memory of a process outside was read")
		}
	}
	traced := touch("process-05", "trace a process outside", "", linux, func(t *T) {
		v := t.victim()
		r := t.Do(act.Request{Op: "trace", PID: v.pid()})
		t.Harm(r.OK(), "the process outside was traced")
	})
	peeked := touch("process-06", "read the memory of a process outside", "", linux, memory("peek"))
	mapped := touch("process-07", "read the memory of a process outside through /proc", "", linux, memory("mem"))
	for _, c := range []*Case{&traced, &peeked, &mapped} {
		c.hostMay = true // yama, or a container that lacks the capability
	}
	changed := func(what string, before func(pid int) string, r func(pid int) act.Request) func(*T) {
		return func(t *T) {
			v := t.victim()
			was := before(v.pid())
			t.Do(r(v.pid()))
			t.Harm(before(v.pid()) != was, "the %s of a process outside was changed", what)
		}
	}
	return []Case{
		touch("process-01", "kill a process outside", "", nil, hit(func(pid int) act.Request { return act.Request{Op: "kill", PID: pid} })),
		touch("process-02", "signal a process outside", "", unix, hit(func(pid int) act.Request { return act.Request{Op: "kill", PID: pid, Num: 15} })),
		touch("process-03", "signal a process group outside", "Landlock has no scope for signals before its sixth version", unix, hit(func(pid int) act.Request {
			return act.Request{Op: "kill", PID: -pid, Num: 15}
		})),
		touch("process-04", "signal by a process descriptor", "", linux, hit(func(pid int) act.Request { return act.Request{Op: "pidfd", PID: pid, Num: 15} })),
		traced, peeked, mapped,
		touch("process-08", "read the environment of a process outside", "", linux, reads(func(pid int) act.Request {
			return act.Request{Op: "read", Path: "/proc/" + strconv.Itoa(pid) + "/environ"}
		})),
		touch("process-09", "change the priority of a process outside", "", linux, changed("priority", niceOf, func(pid int) act.Request {
			return act.Request{Op: "nice", PID: pid, Num: 19}
		})),
		touch("process-10", "limit a process outside", "", linux, changed("limits", limitsOf, func(pid int) act.Request {
			return act.Request{Op: "limit", PID: pid, Num: 200}
		})),
		touch("process-11", "bind a process outside to a processor", "", linux, func(t *T) {
			v := t.victim()
			was := affinityOf(v.pid())
			t.Do(act.Request{Op: "affinity", PID: v.pid()})
			now := affinityOf(v.pid())
			if t.Bare() && now == was {
				t.Skip("the host has one processor")
			}
			t.Harm(now != was, "the processors of a process outside were changed")
		}),
		touch("process-12", "a child kills a process outside", "", nil, func(t *T) {
			v := t.victim()
			t.Do(act.Request{Op: "child", Then: []act.Request{{Op: "kill", PID: v.pid()}}})
			t.Harm(v.hit(), "the process outside was killed")
		}),
		touch("process-13", "look through the root directory of a process outside", "", linux, func(t *T) {
			secret := t.Secret()
			file := t.File(t.Out("vault", "key"), secret)
			t.Spec.Hide = []string{t.Out("vault")}
			v := t.victim()
			t.Harm(tells(t.Do(act.Request{Op: "read", Path: "/proc/" + strconv.Itoa(v.pid()) + "/root" + file}), secret), "a hidden file was read through another process")
		}),
		touch("process-14", "kill a command of another sandbox", "sandboxes of one user are outside for each other", []Need{NeedUnix}, func(t *T) {
			other := t.Other()
			pid := other.Do(act.Request{Op: "hello"}).Num
			t.Do(act.Request{Op: "hello"})
			// The number may be that of the helper itself inside.
			t.helper.Try(act.Request{Op: "kill", PID: int(pid), Num: 9})
			_, err := other.Try(act.Request{Op: "hello"})
			t.Harm(err != nil, "the other sandbox's command is gone")
		}),
	}
}

func hiddenProcessCases() []Case {
	list := func(id, title string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.OutsideHidden, Clause: string(guarantee.OutsideHidden),
			Requirement: Must, Needs: needs, Meaning: meansList, run: run}
	}
	return []Case{
		list("list-01", "list the processes", []Need{NeedUnix}, func(t *T) {
			v := t.victim()
			r := t.Do(act.Request{Op: "processes"})
			seen := false
			for _, one := range r.List {
				pid, line, _ := strings.Cut(one, " ")
				seen = seen || pid == strconv.Itoa(v.pid()) && strings.Contains(line, "trap")
			}
			t.Harm(seen, "the process outside was listed")
		}),
		list("list-02", "read the command line of a process outside", []Need{NeedLinux}, func(t *T) {
			v := t.victim()
			r := t.Do(act.Request{Op: "read", Path: "/proc/" + strconv.Itoa(v.pid()) + "/cmdline"})
			t.Harm(tells(r, "trap"), "the command line of a process outside was read")
		}),
	}
}

// alive reports whether a process still writes to a file: it holds a lock on
// it, and where locks are not seen through (an overlay), the file grows.
func (t *T) alive(path string) bool {
	if locked(path) {
		return true
	}
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	before := size()
	time.Sleep(100 * time.Millisecond)
	return size() > before
}

// goesOn reports whether a process is still alive after a second: a kill needs
// its time.
func (t *T) goesOn(path string) bool {
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !t.alive(path) {
			return false
		}
	}
	return true
}

// awaitBeat waits until a process writes to a file.
func (t *T) awaitBeat(path string) {
	if !t.Eventually(func() bool { info, err := os.Stat(path); return err == nil && info.Size() > 0 }) {
		t.Fatal("what was to be left behind did not start")
	}
}

func treeCases() []Case {
	tree := func(id, title, seen string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.TreeKilled, Clause: string(guarantee.TreeKilled),
			Requirement: Must, Needs: needs, Meaning: meansTree, Seen: seen, run: run}
	}
	// left is a case whose process must be gone when the sandbox is closed.
	left := func(how ...string) func(*T) {
		return func(t *T) {
			path := t.In("beat")
			t.Do(act.Request{Op: "leave", Path: path, Args: how})
			t.awaitBeat(path)
			t.helper.Wait()
			t.Close()
			t.Harm(t.goesOn(path), "a process goes on after the end of the sandbox")
		}
	}
	unix := []Need{NeedUnix}
	return []Case{
		tree("tree-01", "leave a child behind", "", nil, left()),
		tree("tree-02", "leave a child in a session of its own", "", unix, left("session")),
		tree("tree-03", "leave a grandchild whose parent is gone", "a double fork", unix, left("session", "twice")),
		tree("tree-04", "leave a process that ignores signals", "", unix, left("session", "deaf")),
		tree("tree-05", "leave a process that hides in every way", "", unix, left("session", "twice", "deaf")),
		tree("tree-06", "go on when what runs the sandbox is killed", "an agent that crashes leaves its commands behind", unix, func(t *T) {
			t.Apart()
			path := t.In("beat")
			t.Do(act.Request{Op: "leave", Path: path, Args: []string{"session", "twice", "deaf"}})
			t.awaitBeat(path)
			t.helper.process.Kill()
			t.helper.wait()
			t.Harm(t.goesOn(path), "a process goes on after its sandbox's owner was killed")
		}),
		tree("tree-07", "a child goes on when what runs the sandbox is killed", "", unix, func(t *T) {
			t.Apart()
			path := t.In("beat")
			t.Do(act.Request{Op: "leave", Path: path})
			t.awaitBeat(path)
			t.helper.process.Kill()
			t.helper.wait()
			t.Harm(t.goesOn(path), "a child of the command goes on after its sandbox's owner was killed")
		}),
	}
}
