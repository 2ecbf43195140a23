// SPDX-License-Identifier: Apache-2.0

// Package guarantee is the vocabulary of what a sandbox promises.
//
// A guarantee has a stable id, a one-sentence promise and a place in the
// contract (docs/contract.md). A backend claims a guarantee, with a word for
// who upholds it, or it does not; there is nothing in between. Everything else
// in caisson (plans, refusals, results, the conformance suite) speaks of
// promises only through the ids of this package.
package guarantee

import (
	"maps"
	"slices"
)

// ID names one guarantee. Ids are never renamed and never reused.
type ID string

// The guarantees of the contract, in the order the contract lists them.
const (
	WriteConfined      ID = "fs.write.confined"
	WriteProtected     ID = "fs.write.protected"
	ReadHidden         ID = "fs.read.hidden"
	TmpPrivate         ID = "fs.tmp.private"
	DeviceDenied       ID = "fs.device.denied"
	NetOffline         ID = "net.offline"
	NetAllowlist       ID = "net.allowlist"
	UnixConfined       ID = "net.unix.confined"
	OutsideUntouchable ID = "proc.outside.untouchable"
	OutsideHidden      ID = "proc.outside.hidden"
	TreeKilled         ID = "proc.tree.killed"
	NoPrivs            ID = "proc.noprivs"
	IPCConfined        ID = "ipc.confined"
	TTYNoInject        ID = "tty.noinject"
	EnvScrubbed        ID = "env.scrubbed"
	FDNoLeak           ID = "fd.noleak"
	KernelSurface      ID = "kernel.surface"
	NoResidue          ID = "life.noresidue"
	LimitMemory        ID = "proc.limit.memory"
	LimitProcesses     ID = "proc.limit.processes"
	LimitTime          ID = "proc.limit.time"
	DenialsReported    ID = "events.denials"
)

// By says who upholds a claimed guarantee.
type By string

// The upholders, as section "Claims" of docs/contract.md defines them.
const (
	ByKernel  By = "kernel"  // the operating system refuses the act
	ByAccount By = "account" // the identity of an account refuses it, as strong
	ByLaunch  By = "launch"  // made so by construction when the command was started
	ByVM      By = "vm"      // a virtual machine's boundary refuses it
)

// Info describes one guarantee for people.
type Info struct {
	ID       ID
	Promise  string // one sentence, lower case, no full stop
	Standard bool   // part of the standard contract, so needed by every policy
}

// All returns every guarantee in contract order. The caller owns the slice.
func All() []Info {
	return []Info{
		{WriteConfined, "nothing outside the writable roots is created, changed, renamed, linked or removed, metadata included", true},
		{WriteProtected, "protected paths inside a writable root cannot be created, changed, replaced or moved, nor an ancestor moved away", true},
		{ReadHidden, "hidden paths give neither content nor listing under any alias", true},
		{TmpPrivate, "the temporary directories belong to this sandbox alone and go with it", true},
		{DeviceDenied, "no device but null, zero, full, random, urandom and the terminal", true},
		{NetOffline, "no packet leaves, no name is resolved, the host's loopback is out of reach and nothing inside can be reached", true},
		{NetAllowlist, "only the listed hosts and ports are reachable", false},
		{UnixConfined, "no unix socket, Windows named pipe or Mach service of the host beyond the granted ones", true},
		{OutsideUntouchable, "processes outside cannot be signalled, traced, read, limited or reprioritised", true},
		{OutsideHidden, "processes outside cannot be listed", false},
		{TreeKilled, "when the sandbox ends, by any road, nothing it started is left", true},
		{NoPrivs, "no privilege can be gained", true},
		{IPCConfined, "shared memory, queues and keyrings of the host are out of reach", true},
		{TTYNoInject, "nothing can be typed into the terminal on the user's behalf", true},
		{EnvScrubbed, "secrets of the caller's environment do not reach the command", true},
		{FDNoLeak, "the command has descriptors 0, 1, 2 and what was granted by name, nothing else", true},
		{KernelSurface, "rarely needed kernel interfaces with a history of escapes are closed", true},
		{NoResidue, "afterwards files, mounts and processes are as before, but for what the commands wrote where they may", true},
		{LimitMemory, "the memory limit that was asked for holds for the whole tree", false},
		{LimitProcesses, "the process limit that was asked for holds for the whole tree", false},
		{LimitTime, "the time limit that was asked for holds for the whole tree", false},
		{DenialsReported, "what was denied is reported with path or host, operation and rule", false},
	}
}

// Known reports whether id is a guarantee of the contract.
func Known(id ID) bool {
	return slices.ContainsFunc(All(), func(i Info) bool { return i.ID == id })
}

// Standard returns the ids of the standard contract, in contract order.
func Standard() []ID {
	var ids []ID
	for _, i := range All() {
		if i.Standard {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// Claim is what a backend says of one guarantee that it upholds.
type Claim struct {
	By   By     `json:"by"`
	Note string `json:"note,omitempty"` // a named limit of the claim, e.g. "home is on nfs4"
}

// Set is the guarantees that are claimed. The nil Set claims nothing.
type Set map[ID]Claim

// IDs returns the claimed ids in contract order; ids that this version does
// not know come last, sorted.
func (s Set) IDs() []ID {
	var ids []ID
	for _, i := range All() {
		if _, ok := s[i.ID]; ok {
			ids = append(ids, i.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s)) {
		if !Known(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Missing returns the ids of want that s does not claim, in the order of want.
func (s Set) Missing(want []ID) []ID {
	var missing []ID
	for _, id := range want {
		if _, ok := s[id]; !ok {
			missing = append(missing, id)
		}
	}
	return missing
}

// Within reports the ids that s claims and max does not: a plan may never
// claim more than its backend offers on this host.
func (s Set) Within(max Set) (beyond []ID) {
	return max.Missing(s.IDs())
}
