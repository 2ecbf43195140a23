// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"io"
	"io/fs"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// place guesses what this process runs in, from the files of the root directory
// and from variables, which are all that some engines show and which anybody
// can set. The guesses are for the words of remedies; nothing is decided by them.
func place(files fs.FS, getenv func(string) string, h *Hints) {
	exists := func(name string) bool { _, err := fs.Stat(files, name); return err == nil }
	groups := text(files, "proc/self/cgroup")
	// Where the group's path is hidden by a namespace of its own, files that the
	// engine mounts for names and hosts still tell where they come from.
	sources := text(files, "proc/self/mountinfo")
	seen := func(inGroups, inSources string) bool {
		return strings.Contains(groups, inGroups) || strings.Contains(sources, inSources)
	}
	switch {
	case getenv("KUBERNETES_SERVICE_HOST") != "" || exists("var/run/secrets/kubernetes.io") || seen("kubepods", "/kubelet/pods/"):
		h.Container = "kubernetes"
	case exists(".dockerenv") || seen("/docker", "/docker/containers/"):
		h.Container = "docker"
	case exists("run/.containerenv") || seen("/libpod", "/overlay-containers/"):
		h.Container = "podman"
	case seen("containerd", "/io.containerd."):
		h.Container = "containerd"
	default:
		h.Container = word(text(files, "run/systemd/container"))
	}
	version := text(files, "proc/version")
	h.GVisor = exists("proc/sentry-meminfo") || strings.Contains(version, "gvisor") ||
		strings.Contains(version, "Sun Jan 10 15:06:54 PST 2016") // what it gives out as the date of its build
	h.Slurm = getenv("SLURM_JOB_ID") != "" || strings.Contains(groups, "/slurm")
	// "NAME (MODE)", see apparmor(7); other security modules write other things.
	if name, mode, ok := strings.Cut(text(files, "proc/self/attr/current"), " ("); ok && strings.HasPrefix(mode, "enforce)") {
		h.Profile = word(name)
	}
}

// text returns the beginning of a file, or "".
func text(files fs.FS, name string) string {
	f, err := files.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 1 << 20
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	return string(b)
}

// word is a name that a file of the host says, without what could drive a
// terminal.
func word(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s))
}

// within says in words what this process seems to run in.
func (h *Hints) within() string {
	switch {
	case h.Container == "kubernetes":
		return " (this is a pod of Kubernetes)"
	case h.Container != "":
		return " (this is a container of " + h.Container + ")"
	case h.Slurm:
		return " (this is a job of Slurm)"
	}
	return ""
}

// profile is the filter of system calls that remedies name, a file of caisson's.
const profile = "docs/fleets/seccomp.json"

// unmasked is how a container gets a whole /proc.
func (h *Hints) unmasked() string {
	switch h.Container {
	case "kubernetes":
		return `give the pod "hostUsers: false", and its container "securityContext: {procMount: Unmasked}"`
	case "docker", "containerd":
		return "start the container with --security-opt systempaths=unconfined"
	case "podman":
		return "start the container with --security-opt unmask=ALL"
	}
	return "have /proc mounted in full"
}

// allowed is how a container, or a job, gets namespaces.
func (h *Hints) allowed() string {
	free := "" // of AppArmor's profile for containers, which lets nobody mount
	switch h.Container {
	case "kubernetes":
		if h.Profile != "" {
			free = ", appArmorProfile: {type: Unconfined}"
		}
		return `give the pod "hostUsers: false", and its container "securityContext: {procMount: Unmasked, seccompProfile: {type: Localhost, localhostProfile: caisson.json}` +
			free + `}", where caisson.json is caisson's ` + profile + " in the directory seccomp of each node's kubelet"
	case "docker", "podman", "containerd":
		if h.Profile != "" {
			free = " --security-opt apparmor=unconfined"
		}
		paths := "systempaths=unconfined"
		if h.Container == "podman" {
			paths = "unmask=ALL"
		}
		return "start the container with --security-opt seccomp=caisson.json --security-opt " + paths + free + ", where caisson.json is caisson's " + profile
	}
	if h.Slurm {
		return "ask who administers the nodes which security module or seccomp filter slurmd runs under"
	}
	if h.Profile != "" {
		return "let AppArmor's profile " + diag.Quote(h.Profile) + ", which this process is under, allow all of userns, mount, umount, pivot_root and capability; or start caisson outside of it"
	}
	return "see which security module or seccomp filter this process runs under"
}

// nodes adds to a setting of the system whose it is to change.
func (h *Hints) nodes(setting string) string {
	if h.Slurm && h.Container == "" {
		return setting + ", on each node of the cluster, which is for who administers it"
	}
	return setting
}
