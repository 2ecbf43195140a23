// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command docker runs a command as a container of Docker's default settings
// would confine it: under the published filter of system calls and with the
// default capabilities only. It makes no container: there is nothing else of
// one. Tests of how caisson behaves in such a container use it.
//
//	docker [-user UID] [-seccomp FILE] PATH ARG…
//
// With -seccomp the filter is of that file instead, such as
// docs/fleets/seccomp.json, which lets caisson make sandboxes.
//
// Started by an ordinary user it also sets no_new_privs, without which the
// kernel lets nobody but root install a filter.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func main() {
	user := flag.Int("user", os.Getuid(), "run as this user and its group")
	file := flag.String("seccomp", "", "use the profile in this `file`, as Docker's option of that name, instead of the default")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "docker:", become(*user, *file, flag.Args()))
	os.Exit(125)
}

// become executes the command under the profile of a file, or the default. It
// returns only an error.
func become(user int, file string, argv []string) error {
	filter, err := defaultFilter()
	if file != "" {
		filter, err = filterOf(file)
	}
	if err != nil {
		return err
	}
	// Filters and credentials belong to a thread, and what executes a program
	// takes those of its own thread along.
	runtime.LockOSThread()
	if os.Geteuid() != 0 {
		if user != os.Getuid() {
			return errors.New("only root becomes another user")
		}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("no_new_privs: %w", err)
		}
	}
	if err := install(filter); err != nil {
		return fmt.Errorf("install the filter: %w", err)
	}
	if os.Geteuid() == 0 {
		if err := drop(user); err != nil {
			return err
		}
	}
	return fmt.Errorf("execute %s: %w", argv[0], unix.Exec(argv[0], argv, os.Environ()))
}

// defaultFilter is the filter for a container with the default capabilities.
func defaultFilter() ([]unix.SockFilter, error) {
	var names []string
	for name := range capabilities {
		names = append(names, name)
	}
	profile, err := seccomp.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: names}}})
	if err != nil {
		return nil, fmt.Errorf("the profile: %w", err)
	}
	return compile(profile, runtime.GOARCH)
}

// filterOf is the filter of a profile that Docker reads.
func filterOf(file string) ([]unix.SockFilter, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var profile specs.LinuxSeccomp
	if err := json.Unmarshal(text, &profile); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return compile(&profile, runtime.GOARCH)
}

// capabilities are those of a container's root by default: those that the
// engine's documentation lists, with their numbers.
var capabilities = map[string]int{
	"CAP_AUDIT_WRITE": unix.CAP_AUDIT_WRITE, "CAP_CHOWN": unix.CAP_CHOWN, "CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE,
	"CAP_FOWNER": unix.CAP_FOWNER, "CAP_FSETID": unix.CAP_FSETID, "CAP_KILL": unix.CAP_KILL, "CAP_MKNOD": unix.CAP_MKNOD,
	"CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE, "CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_SETFCAP": unix.CAP_SETFCAP,
	"CAP_SETGID": unix.CAP_SETGID, "CAP_SETPCAP": unix.CAP_SETPCAP, "CAP_SETUID": unix.CAP_SETUID, "CAP_SYS_CHROOT": unix.CAP_SYS_CHROOT,
}

// drop leaves this thread the default capabilities, or becomes the user with
// none.
func drop(user int) error {
	var kept uint64
	for _, c := range capabilities {
		kept |= 1 << c
	}
	for c := range 64 {
		if kept&(1<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err == unix.EINVAL {
			break // beyond the last one
		} else if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if user != 0 {
		return assume(user)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for i := range data {
		word := uint32(kept >> (32 * i))
		data[i] = unix.CapUserData{Effective: word, Permitted: word}
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}
