// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// setBits are the mode bits that lend rights, as os.FileMode and as the kernel
// have them.
const setBits = int64(fs.ModeSetuid | fs.ModeSetgid | 0o6000)

// need is what an act needs of a path.
type need int

const (
	toSee    need = iota // its content, names or existence
	toChange             // what is there
	toPlace              // the name itself: make, remove, move
)

// wants is one path of an act.
type wants struct {
	path   string
	need   need
	follow bool
}

// paths says what an act needs of which paths, Path first and To last.
func (a Act) paths() []wants {
	switch a.Op {
	case Read, List, Walk, Execute, Handle:
		return []wants{{a.Path, toSee, true}}
	case Look:
		return []wants{{a.Path, toSee, false}}
	case Write, Change, Create, Truncate, Allocate, Map, Reopen, Mode, Times, Attribute, Flags, Device:
		list := []wants{{a.Path, toChange, true}}
		if a.Swap != "" {
			list = append(list, wants{a.Swap, toChange, true})
		}
		return list
	case Owner:
		return []wants{{a.Path, toChange, false}}
	case Remove, RemoveTree, Directory, Fifo, MakeDevice:
		return []wants{{a.Path, toPlace, false}}
	case Rename, Exchange:
		return []wants{{a.Path, toPlace, false}, {a.To, toPlace, false}}
	case Link:
		return []wants{{a.Path, toChange, false}, {a.To, toPlace, false}}
	case Symlink:
		return []wants{{a.To, toPlace, false}}
	}
	return nil
}

// judge says how an act is to be committed and what it would break.
func (m *Monitor) judge(a Act) (Act, []violation, error) {
	commit := a
	var broken []violation
	for i, w := range a.paths() {
		p, err := m.find(w.path, a.Dir, w.follow)
		if err != nil {
			return a, nil, err
		}
		broken = append(broken, m.judgePath(a, w, p)...)
		switch {
		case w.path == a.Swap && i > 0:
		case i > 0 || a.Op == Symlink:
			commit.To = p.real
		default:
			commit.Path = p.real
			if a.Op == List {
				commit.Path = m.listed(p)
			}
		}
	}
	if a.Swap != "" {
		commit.Path = a.Path // it is the name that changes, not what it led to
	}
	others, err := m.judgeOther(a, &commit)
	return commit, append(broken, others...), err
}

func (m *Monitor) judgePath(a Act, w wants, p place) (broken []violation) {
	add := func(g guarantee.ID) {
		broken = append(broken, violation{guarantee: g, target: p.path, raw: w.path, place: p})
	}
	if p.process > 0 {
		add(guarantee.OutsideUntouchable)
	}
	broken = append(broken, m.judgeSpecial(a, w, p)...)
	if usual(p) || m.temp(p.path) != "" {
		return broken
	}
	access, rule := m.access(p.path)
	switch {
	case access == policy.Hidden && a.Op == List && len(m.shown(p.path)) > 0:
	case access == policy.Hidden:
		add(guarantee.ReadHidden)
	case w.need != toSee && a.Op != Device && access != policy.Write:
		add(m.confines(p.path))
	case w.need == toPlace && rule.Path == p.path && rule.Root && a.Op != Directory:
		add(guarantee.WriteConfined) // the root itself is not inside
	}
	for _, r := range m.Policy.Rules() {
		if r.Path == p.path || !below(r.Path, p.path) {
			continue
		}
		// What lies below goes along.
		if r.Access == policy.Hidden && (a.Op == Walk || w.need == toPlace) {
			p := p
			p.path = r.Path
			broken = append(broken, violation{guarantee.ReadHidden, r.Path, w.path, p})
		}
		if r.Access == policy.Read && r.Hold != policy.HoldReport && w.need == toPlace && access == policy.Write {
			broken = append(broken, violation{guarantee.WriteProtected, r.Path, w.path, p})
		}
	}
	return broken
}

// judgeSpecial is about what is no ordinary file.
func (m *Monitor) judgeSpecial(a Act, w wants, p place) (broken []violation) {
	add := func(g guarantee.ID) {
		broken = append(broken, violation{guarantee: g, target: p.path, raw: w.path, place: p})
	}
	if n := processOf(p.path); n > 0 && !m.own(n) && p.process == 0 {
		add(guarantee.OutsideUntouchable)
	}
	if n := processOf(p.path); n > 0 && !m.own(n) && slices.Contains([]string{"cmdline", "status", "stat", "comm"}, filepath.Base(p.path)) {
		broken = nil
		add(guarantee.OutsideHidden)
	}
	switch {
	case below(p.path, "/proc/sys") && w.need != toSee:
		add(guarantee.KernelSurface)
	case p.path == "/proc/keys":
		add(guarantee.IPCConfined)
	case below(p.path, "/dev/pts"):
		add(guarantee.TTYNoInject)
	case p.exists() && p.info.Mode()&fs.ModeDevice != 0 && !usual(p) && a.Op != Remove && a.Op != Rename && a.Op != Look:
		add(guarantee.DeviceDenied)
	}
	if p.path == devicesDir && a.Op == List && len(p.links) > 0 && m.Leaky("device.alias") {
		return nil
	}
	if a.Op == Execute && p.exists() && p.info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 || (a.Op == Mode || a.Op == Create) && a.Num&setBits != 0 ||
		a.Op == Attribute && strings.HasPrefix(a.Name, "security.") {
		add(guarantee.NoPrivs)
	}
	if a.Op == MakeDevice {
		add(guarantee.DeviceDenied)
	}
	if a.Op == Handle {
		add(guarantee.KernelSurface)
	}
	return broken
}

// usual reports whether a path is one of the devices that everybody may use.
func usual(p place) bool {
	return filepath.Dir(p.path) == devicesDir && slices.Contains(devices(), filepath.Base(p.path))
}

// access is what the policy says. A name that may only be moved away again
// after the run is not to be made.
func (m *Monitor) access(path string) (policy.Access, policy.Rule) {
	access, rule := m.Policy.AccessTo(path)
	if rule.Hold == policy.HoldQuarantine {
		access = policy.Read
	}
	return access, rule
}

// confines tells a path outside of every writable root from a protected one.
func (m *Monitor) confines(path string) guarantee.ID {
	for _, r := range m.Policy.Rules() {
		if r.Access == policy.Write && below(path, r.Path) {
			return guarantee.WriteProtected
		}
	}
	return guarantee.WriteConfined
}

// shown are the names in a hidden directory that lead to what is not hidden.
func (m *Monitor) shown(dir string) []string {
	var names []string
	for _, r := range m.Policy.Rules() {
		if r.Access != policy.Hidden && r.Path != dir && below(r.Path, dir) {
			rest, _ := filepath.Rel(dir, r.Path)
			name, _, _ := strings.Cut(filepath.ToSlash(rest), "/")
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// listed is the directory whose names are to be given for a place: a facade
// where not all of them may be seen.
func (m *Monitor) listed(p place) string {
	if access, _ := m.access(p.path); access == policy.Hidden && !m.Leaky("hide.listing") {
		return m.facade(p.path, m.shown(p.path))
	}
	if p.path == "/proc" && !m.Leaky("list.processes") {
		names := []string{"self"}
		for _, own := range m.Entered() {
			names = append(names, strconv.Itoa(own.PID))
		}
		return m.facade(p.path, names)
	}
	return p.real
}

// facade makes a directory with the given names in it.
func (m *Monitor) facade(path string, names []string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %q", path, names)
	dir := filepath.Join(m.register("facades"), strconv.FormatUint(h.Sum64(), 36))
	os.MkdirAll(dir, 0o700)
	for _, n := range names {
		os.WriteFile(filepath.Join(dir, n), nil, 0o600)
	}
	return dir
}
