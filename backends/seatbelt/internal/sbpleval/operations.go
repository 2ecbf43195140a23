// SPDX-License-Identifier: Apache-2.0

package sbpleval

import "strings"

// parents maps every operation to the one that is consulted after it. A
// wildcard stands above the operations that it names; some operations of files
// stand beside file-read* and file-write*, not below them. The tree is that of
// macOS 10.15, whose names later releases kept.
var parents = func() map[string]string {
	up := map[string]string{}
	below := func(parent string, names ...string) {
		for _, n := range names {
			up[n] = parent
		}
	}
	below("default", "file*", "process*", "network*", "system*", "mach*", "ipc*", "iokit*", "sysctl*", "user-preference*",
		"signal", "pseudo-tty", "lsopen", "appleevent-send", "job-creation", "dynamic-code-generation",
		"distributed-notification-post", "generic-issue-extension", "syscall-unix", "nvram*", "authorization-right-obtain",
		"fs-snapshot*", "device*")
	below("file*", "file-read*", "file-write*", "file-ioctl", "file-link", "file-clone", "file-mount", "file-mount-update",
		"file-unmount", "file-map-executable", "file-mknod", "file-chroot", "file-revoke", "file-search",
		"file-issue-extension", "file-test-existence")
	below("file-read*", "file-read-data", "file-read-metadata", "file-read-xattr")
	below("file-write*", "file-write-acl", "file-write-create", "file-write-data", "file-write-finderinfo",
		"file-write-flags", "file-write-mode", "file-write-owner", "file-write-setugid", "file-write-times",
		"file-write-unlink", "file-write-xattr")
	below("process*", "process-exec*", "process-fork", "process-info*", "process-codesigning-status*")
	below("process-exec*", "process-exec-interpreter")
	below("process-info*", "process-info-pidinfo", "process-info-pidfdinfo", "process-info-listpids", "process-info-setcontrol",
		"process-info-rusage", "process-info-dirtycontrol", "process-info-codesignature")
	below("network*", "network-inbound", "network-bind", "network-outbound")
	below("system*", "system-socket", "system-fsctl", "system-info", "system-mac-syscall", "system-kext*", "system-privilege",
		"system-acct", "system-audit", "system-chud", "system-debug", "system-lcid", "system-nfssvc", "system-pack-unlink",
		"system-reboot", "system-sched", "system-set-time", "system-suspend-resume", "system-swap")
	below("mach*", "mach-lookup", "mach-register", "mach-cross-domain-lookup", "mach-task-name", "mach-priv*", "mach-host*",
		"mach-issue-extension")
	below("mach-priv*", "mach-priv-host-port", "mach-priv-task-port")
	below("ipc*", "ipc-posix*", "ipc-sysv*")
	below("ipc-posix*", "ipc-posix-sem*", "ipc-posix-shm*", "ipc-posix-issue-extension")
	below("ipc-posix-sem*", "ipc-posix-sem-create", "ipc-posix-sem-open", "ipc-posix-sem-post", "ipc-posix-sem-unlink", "ipc-posix-sem-wait")
	below("ipc-posix-shm*", "ipc-posix-shm-read*", "ipc-posix-shm-write*")
	below("ipc-posix-shm-read*", "ipc-posix-shm-read-data", "ipc-posix-shm-read-metadata")
	below("ipc-posix-shm-write*", "ipc-posix-shm-write-create", "ipc-posix-shm-write-data", "ipc-posix-shm-write-unlink")
	below("ipc-sysv*", "ipc-sysv-msg", "ipc-sysv-sem", "ipc-sysv-shm")
	below("iokit*", "iokit-open", "iokit-get-properties", "iokit-set-properties", "iokit-issue-extension")
	below("sysctl*", "sysctl-read", "sysctl-write")
	below("user-preference*", "user-preference-read", "user-preference-write")
	return up
}()

// canonical returns the name that an operation is known by: some have a second
// one, most of those without the star.
func canonical(op string, up map[string]string) (string, bool) {
	if op == "default" {
		return op, true
	}
	switch op {
	case "process-exec", "ipc-posix-sem", "ipc-posix-shm":
		op += "*"
	case "file-unlink":
		op = "file-write-unlink"
	}
	_, ok := up[op]
	return op, ok
}

// Operations returns every operation that is no wildcard and stands in the
// group, such as "file-write*"; "" is all.
func Operations(group string) []string {
	up := parents
	var list []string
	for op := range up {
		if strings.HasSuffix(op, "*") && hasChildren(op, up) {
			continue
		}
		for at := op; at != "" && at != "default"; at = up[at] {
			if at == group || group == "" {
				list = append(list, op)
				break
			}
		}
	}
	return list
}

func hasChildren(op string, up map[string]string) bool {
	for _, parent := range up {
		if parent == op {
			return true
		}
	}
	return false
}
