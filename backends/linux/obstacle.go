// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// obstacle is what makes the backend useless on a host.
type obstacle struct{ reason, remedy string }

// obstacle returns what stands in the way, or nil. Launching rests on all of
// this; there is no weaker form of it.
func (f *Facts) obstacle() *obstacle {
	switch {
	case f.Nested:
		return &obstacle{"caisson runs inside a sandbox of caisson already", "run the command directly"}
	case f.Landlock == 0 && f.Hints != nil && f.Hints.GVisor:
		return noLandlockInGVisor()
	case f.Landlock == 0:
		return &obstacle{"the kernel has no Landlock, the second wall around the file system", "use Linux 5.13 or later with landlock among the security modules (the kernel's parameter lsm=)"}
	case !f.Trial.OK:
		return f.failedTrial()
	}
	return nil
}

// noLandlockInGVisor explains the lack of Landlock that no newer kernel of the
// machine helps: gVisor is the kernel of its containers.
func noLandlockInGVisor() *obstacle {
	return &obstacle{"this is a container of gVisor, whose kernel has no Landlock",
		"run it by another runtime than runsc: without the runtimeClassName of gVisor in the pod, or without --runtime runsc; its own boundary stays around the whole container"}
}

// failedTrial explains a sandbox that could not be made.
func (f *Facts) failedTrial() *obstacle {
	h := f.Hints
	if h == nil {
		h = &Hints{MaxUserNamespaces: -1}
	}
	userns := f.Trial.Step == "namespaces"
	denied := f.Trial.Errno == "EPERM" || f.Trial.Errno == "EACCES"
	const many = 1000 // namespaces that nobody on an ordinary machine uses up
	switch {
	case h.Confined:
		return &obstacle{"this process is confined by a sandbox of caisson without namespaces already", "run the command directly"}
	case h.MemfdOff:
		return &obstacle{"files in memory cannot be executed: vm.memfd_noexec is 2", h.nodes("sysctl -w vm.memfd_noexec=1")}
	case userns && f.Trial.Errno == "ENOSPC" && h.MaxUserNamespaces > many:
		return &obstacle{"no user namespace can be made: what this process runs in allows no further one, as bubblewrap does with --disable-userns",
			"let what starts caisson allow user namespaces"}
	case userns && f.Trial.Errno == "ENOSPC" || h.MaxUserNamespaces == 0:
		return &obstacle{fmt.Sprintf("no user namespace can be made: the limit user.max_user_namespaces is reached (it is %d)", h.MaxUserNamespaces),
			h.nodes("sysctl -w user.max_user_namespaces=15000")}
	case userns && f.Trial.Errno == "EINVAL":
		return &obstacle{"the kernel was built without user namespaces or another kind that is needed", "use a kernel with CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS, CONFIG_IPC_NS and CONFIG_UTS_NS"}
	case denied && h.CloneOff && !f.root():
		return &obstacle{"user namespaces are off for ordinary users", h.nodes("sysctl -w kernel.unprivileged_userns_clone=1")}
	case denied && h.Profile != "" && !userns:
		return &obstacle{"AppArmor's profile " + diag.Quote(h.Profile) + ", which this process is under, refuses a step" + h.within() + ": " + f.Trial.Entry, h.allowed()}
	case denied && h.AppArmor && !f.root() && !(h.Container != "" && strings.HasPrefix(f.Trial.Entry, makesNamespaces)):
		return &obstacle{"AppArmor gives user namespaces without capabilities to programs that have no profile",
			"caisson setup install writes a profile with the rule \"userns,\" for the installed caisson (what go run makes lies in a temporary directory and cannot have one); or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}
	case f.Trial.Step == "proc" && denied:
		return f.noProc(h)
	case f.Trial.Step == "devices" && strings.HasPrefix(f.Trial.Entry, newTerminals):
		return &obstacle{"a file system for new terminals (devpts) cannot be mounted" + h.within(), "use a kernel with CONFIG_UNIX98_PTYS, and let the container mount devpts"}
	case f.Trial.Step == "devices" && f.Trial.Errno == "ENOENT":
		return &obstacle{"/dev lacks a usual device" + h.within() + ": " + f.Trial.Entry, "have null, zero, full, random, urandom and tty in /dev"}
	case userns && denied || f.Trial.Errno == "ENOSYS":
		return &obstacle{"namespaces cannot be made: something refuses it" + h.within(), h.allowed()}
	}
	return &obstacle{"a sandbox cannot be made: " + f.Trial.Message, ""}
}

// What the launcher says of entries that are told apart here.
const (
	makesNamespaces = "make the namespaces"
	newTerminals    = "mount new terminals"
)

// noProc explains that a new /proc cannot be mounted: the kernel allows that
// only where nothing of the one that is there is covered, see
// user_namespaces(7) on mounts that are locked.
func (f *Facts) noProc(h *Hints) *obstacle {
	if h.ProcOptions != "" {
		return &obstacle{"a new /proc cannot be mounted, because this one hides processes (" + h.ProcOptions + ")" + h.within(), "mount /proc without " + h.ProcOptions}
	}
	var masks []string
	for _, line := range f.Mounts {
		if m, err := parseMount(line); err == nil && m.point != "/proc" && within("/proc", m.point) && m.fstype != "autofs" && m.fstype != "binfmt_misc" {
			masks = append(masks, m.point)
		}
	}
	where := ""
	if len(masks) > 0 {
		where = ", as " + some(masks)
	}
	return &obstacle{"a new /proc cannot be mounted, because parts of this one are masked" + where + h.within(), h.unmasked()}
}
