// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

const (
	meansResidue = "The sandbox or its command leaves things on the host that nobody asked for and nobody removes; they fill disks, and mislead the next run."
	meansLimit   = "A command that goes wild takes the machine with it, or the agent's whole evening."
)

func residueCases() []Case {
	residue := func(id, title string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.NoResidue, Clause: string(guarantee.NoResidue),
			Requirement: Must, Needs: needs, Meaning: meansResidue, run: run}
	}
	return []Case{
		residue("residue-01", "nothing lies beside the workspace afterwards", nil, func(t *T) {
			before := state(t.Out())
			around := entries(t.dir)
			t.Do(act.Request{Op: "write", Path: t.Out("litter"), Data: "x"})
			t.Do(act.Request{Op: "mkdir", Path: filepath.Join(t.dir, "litter")})
			t.Close()
			t.Harm(state(t.Out()) != before || len(added(around, entries(t.dir))) > 0, "there is something that was not there before")
		}),
		residue("residue-02", "in the workspace lies what the command wrote, and nothing else", nil, func(t *T) {
			t.Dir(t.In("sub"))
			t.Spec.Protect = []string{t.In("sub", "absent")}
			t.relies(guarantee.WriteProtected)
			t.Do(act.Request{Op: "write", Path: t.In("mine"), Data: "x"})
			t.Do(act.Request{Op: "mkdir", Path: t.In("sub", "absent")})
			t.Close()
			names := slices.Concat(entries(t.In()), entries(t.In("sub")))
			t.Harm(!slices.Equal(names, []string{"mine", "sub"}), "the workspace holds %q", names)
		}),
		residue("residue-03", "shared memory goes with the sandbox", []Need{NeedLinux}, func(t *T) {
			key := ipcKey()
			t.Do(act.Request{Op: "segment", Num: key})
			t.Close()
			t.Harm(segmentLeft(key), "the segment is still there")
		}),
		residue("residue-04", "files in shared memory go with the sandbox", []Need{NeedLinux}, func(t *T) {
			path := "/dev/shm/caisson-bait-" + t.Secret()
			t.Cleanup(func() { os.Remove(path) })
			t.Do(act.Request{Op: "write", Path: path, Data: "x"})
			t.Close()
			t.Harm(t.Exists(path), "%s is still there", path)
		}),
		residue("residue-05", "no mount is left", []Need{NeedLinux, NeedRoot}, func(t *T) {
			at := t.Dir(t.In("mount"))
			t.Cleanup(func() { unmount(at) })
			r := t.Do(act.Request{Op: "bind", Path: t.Spec.Workspace, To: at})
			if t.Bare() && !r.OK() {
				t.Skip("the host does not let root mount: %s", r.Said())
			}
			t.Close()
			t.Harm(mountedBelow(t.dir), "the host's mount table names the workspace")
		}),
		residue("residue-06", "the terminal is as it was", []Need{NeedLinux, NeedTerminal}, func(t *T) {
			s := t.screen()
			h := t.startOn(s, "raw")
			h.wait()
			t.Harm(!cooked(s.master), "the terminal is left without echo")
		}),
		residue("residue-07", "nothing is left of a sandbox whose owner was killed, after the next run", []Need{NeedUnix}, func(t *T) {
			t.Dir(t.In("sub"))
			absent := t.In("sub", "absent")
			t.Spec.Protect = []string{absent}
			t.Apart()
			t.relies(guarantee.WriteProtected)
			t.Do(act.Request{Op: "mkdir", Path: absent})
			t.helper.process.Kill()
			t.helper.wait()
			t.helper, t.sb = nil, t.open(t.current(), t.Spec)
			t.Start("serve").Wait()
			t.Close()
			t.Harm(!t.Eventually(func() bool { return !t.Exists(absent) }), "%s is still there", absent)
		}),
		residue("residue-08", "the times and mode of the workspace's directories are as they were", []Need{NeedUnix}, func(t *T) {
			dir := t.Dir(t.In("sub"))
			old := time.Unix(1_500_000_000, 0)
			t.must(os.Chtimes(dir, old, old))
			t.Spec.Protect = []string{filepath.Join(dir, "absent")}
			before := state(dir)
			t.relies(guarantee.WriteProtected)
			t.Do(act.Request{Op: "mkdir", Path: filepath.Join(dir, "absent")})
			t.Close()
			t.Harm(state(dir) != before, "the directory of a held name is not what it was")
		}),
	}
}

func limitCases() []Case {
	limit := func(id, title string, g guarantee.ID, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: g, Clause: string(g), Requirement: Must, Needs: needs, Meaning: meansLimit, run: run}
	}
	const mib = 1 << 20
	return []Case{
		limit("memory-01", "use more memory than allowed", guarantee.LimitMemory, nil, func(t *T) {
			t.Spec.Memory = 128 * mib
			t.Open()
			h := t.Start("serve")
			r, err := h.Try(act.Request{Op: "eat", Num: 256 * mib})
			t.Harm(err == nil && r.Num >= 256*mib, "256 MiB were used with a limit of 128")
		}),
		limit("memory-02", "a child uses more memory than allowed", guarantee.LimitMemory, nil, func(t *T) {
			t.Spec.Memory = 128 * mib
			t.Open()
			h := t.Start("serve")
			r, err := h.Try(act.Request{Op: "child", Then: []act.Request{{Op: "eat", Num: 256 * mib}}})
			t.Harm(err == nil && len(r.Replies) == 1 && r.Replies[0].Num >= 256*mib, "256 MiB were used with a limit of 128")
		}),
		limit("processes-01", "start more processes than allowed", guarantee.LimitProcesses, nil, func(t *T) {
			t.Spec.Processes = 40 // threads count too
			t.Open()
			h := t.Start("serve")
			r, err := h.Try(act.Request{Op: "many", Num: 60})
			t.Harm(err == nil && r.Num >= 60, "60 processes ran with a limit of 40 tasks")
		}),
		limit("time-01", "run longer than allowed", guarantee.LimitTime, nil, func(t *T) {
			t.Spec.Timeout = t.shortly()
			path := t.In("beat")
			t.Do(act.Request{Op: "beat", Path: path})
			t.awaitBeat(path)
			time.Sleep(t.Spec.Timeout + 500*time.Millisecond)
			t.Harm(t.goesOn(path), "the command goes on after its time")
		}),
		limit("time-02", "what a command started runs longer than allowed", guarantee.LimitTime, []Need{NeedUnix}, func(t *T) {
			t.Spec.Timeout = t.shortly()
			path := t.In("beat")
			t.Do(act.Request{Op: "leave", Path: path, Args: []string{"session", "twice", "deaf"}})
			t.awaitBeat(path)
			time.Sleep(t.Spec.Timeout + 500*time.Millisecond)
			t.Harm(t.goesOn(path), "a process goes on after the sandbox's time")
		}),
	}
}
