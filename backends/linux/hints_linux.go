// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"os"
	"strconv"
	"strings"
)

// hints looks for what may have made a trial fail.
func hints() *Hints {
	h := &Hints{
		MemfdOff:          setting("/proc/sys/vm/memfd_noexec") == "2",
		MaxUserNamespaces: -1,
		CloneOff:          setting("/proc/sys/kernel/unprivileged_userns_clone") == "0",
		AppArmor:          setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1",
		Container:         container(),
	}
	if n, err := strconv.Atoi(setting("/proc/sys/user/max_user_namespaces")); err == nil {
		h.MaxUserNamespaces = n
	}
	return h
}

// container guesses what made the container that this process is in. The
// guesses are for the words of a remedy only.
func container() string {
	exists := func(name string) bool { return kindOf(name) != "" }
	switch {
	case os.Getenv("KUBERNETES_SERVICE_HOST") != "" || exists("/var/run/secrets/kubernetes.io"):
		return "kubernetes"
	case exists("/.dockerenv"):
		return "docker"
	case exists("/run/.containerenv"):
		return "podman"
	}
	return strings.Map(printable, setting("/run/systemd/container"))
}

// printable drops what could drive a terminal from a word of the host.
func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}
