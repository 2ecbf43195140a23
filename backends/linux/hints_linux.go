// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hints looks for what may have made a trial fail.
func hints() *Hints {
	h := &Hints{
		MemfdOff:          setting("/proc/sys/vm/memfd_noexec") == "2",
		MaxUserNamespaces: -1,
		CloneOff:          setting("/proc/sys/kernel/unprivileged_userns_clone") == "0",
		AppArmor:          setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1",
		ProcOptions:       procOptions(),
		Confined:          confined(),
	}
	if n, err := strconv.Atoi(setting("/proc/sys/user/max_user_namespaces")); err == nil {
		h.MaxUserNamespaces = n
	}
	place(os.DirFS("/"), os.Getenv, h)
	return h
}

// confined guesses whether this process is in a sandbox of caisson that has no
// namespaces.
func confined() bool {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	if err != nil || mode != 2 { // SECCOMP_MODE_FILTER
		return false
	}
	locked, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	return err == nil && locked == 1 && os.Getenv("CAISSON") == "1"
}

// procOptions returns the options of /proc that hide processes, see proc(5).
func procOptions() string {
	text, err := readFile("/proc/self/mountinfo", 16<<10)
	if err != nil {
		return ""
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		f, options := strings.Fields(before), strings.Fields(after)
		if len(f) < 5 || f[4] != "/proc" || len(options) < 3 {
			continue
		}
		found = nil // the last mount is the one that is seen
		for _, o := range strings.Split(options[2], ",") {
			if strings.HasPrefix(o, "subset=") || strings.HasPrefix(o, "hidepid=") && o != "hidepid=0" && o != "hidepid=off" {
				found = append(found, word(o))
			}
		}
	}
	return strings.Join(found, ",")
}
