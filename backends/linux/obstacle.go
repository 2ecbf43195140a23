// SPDX-License-Identifier: Apache-2.0

package linux

import "fmt"

// obstacle is what makes the backend useless on a host.
type obstacle struct{ reason, remedy string }

// obstacle returns what stands in the way, or nil. Launching rests on all of
// this; there is no weaker form of it.
func (f *Facts) obstacle() *obstacle {
	switch {
	case f.Nested:
		return &obstacle{"caisson runs inside a sandbox of caisson already", "run the command directly"}
	case f.Landlock == 0:
		return &obstacle{"the kernel has no Landlock, the second wall around the file system", "use Linux 5.13 or later with landlock among the security modules (the kernel's parameter lsm=)"}
	case !f.Trial.OK:
		return f.failedTrial()
	}
	return nil
}

// failedTrial explains a sandbox that could not be made.
func (f *Facts) failedTrial() *obstacle {
	h := f.Hints
	if h == nil {
		h = &Hints{MaxUserNamespaces: -1}
	}
	userns := f.Trial.Step == "namespaces"
	denied := f.Trial.Errno == "EPERM" || f.Trial.Errno == "EACCES"
	switch {
	case h.MemfdOff:
		return &obstacle{"files in memory cannot be executed: vm.memfd_noexec is 2", "sysctl -w vm.memfd_noexec=1"}
	case userns && f.Trial.Errno == "ENOSPC" || h.MaxUserNamespaces == 0:
		return &obstacle{fmt.Sprintf("no user namespace can be made: the limit user.max_user_namespaces is reached (it is %d)", h.MaxUserNamespaces),
			"sysctl -w user.max_user_namespaces=15000"}
	case userns && f.Trial.Errno == "EINVAL":
		return &obstacle{"the kernel was built without user namespaces or another kind that is needed", "use a kernel with CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS, CONFIG_IPC_NS and CONFIG_UTS_NS"}
	case denied && h.CloneOff && !f.root():
		return &obstacle{"user namespaces are off for ordinary users", "sysctl -w kernel.unprivileged_userns_clone=1"}
	case denied && h.AppArmor && !f.root():
		return &obstacle{"AppArmor gives user namespaces without capabilities to programs that have no profile",
			"install an AppArmor profile with the rule \"userns,\" for the path of the installed caisson (what go run makes lies in a temporary directory and cannot have one), or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}
	case f.Trial.Step == "proc" && denied:
		return &obstacle{"a new /proc cannot be mounted, because parts of this one are masked" + inContainer(h), unmasked(h)}
	case userns && denied || f.Trial.Errno == "ENOSYS":
		return &obstacle{"namespaces cannot be made: something refuses it" + inContainer(h), allowed(h)}
	}
	return &obstacle{"a sandbox cannot be made: " + f.Trial.Message, ""}
}

func inContainer(h *Hints) string {
	if h.Container == "" {
		return ""
	}
	return " (this is a container of " + h.Container + ")"
}

func unmasked(h *Hints) string {
	switch h.Container {
	case "kubernetes":
		return "give the pod hostUsers: false and procMount: Unmasked"
	case "docker", "podman":
		return "start the container with --security-opt systempaths=unconfined"
	}
	return "have /proc mounted in full"
}

func allowed(h *Hints) string {
	switch h.Container {
	case "kubernetes":
		return "give the pod hostUsers: false, procMount: Unmasked and a seccomp profile that allows clone with namespaces and the mount calls"
	case "docker", "podman":
		return "start the container with --security-opt systempaths=unconfined and with a --security-opt seccomp=PROFILE that allows clone with namespaces and the mount calls"
	}
	return "see which security module or seccomp filter this process runs under"
}
