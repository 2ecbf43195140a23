// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// secureBits takes the meaning from user id 0 and locks it: NOROOT,
// NO_SETUID_FIXUP, KEEP_CAPS_LOCKED, NO_CAP_AMBIENT_RAISE, see capabilities(7).
const secureBits = 0xef

// capabilities is how many capabilities there are, CAP_LAST_CAP and 0 counted.
// The attestation reads back that the sets are empty; with no_new_privs a
// capability that a newer kernel adds could not come back by an exec either.
const capabilities = unix.CAP_LAST_CAP + 1

// boundCapabilities empties the bounding set, which matters to what executes
// other programs. An older kernel does not know the last ones (EINVAL).
func (p *program) boundCapabilities() {
	for c := range capabilities {
		p.call(fmt.Sprintf("drop capability %d from the bounding set", c), unix.SYS_PRCTL, num(unix.PR_CAPBSET_DROP), num(c)).with(flagIgnore)
	}
}

// dropPrivileges adds what the step Privileges means.
func (p *program) dropPrivileges() {
	p.call("lock the secure bits", unix.SYS_PRCTL, num(unix.PR_SET_SECUREBITS), num(secureBits))
	p.dropCapabilities()
	p.noNewPrivileges()
}

func (p *program) dropCapabilities() {
	header := make([]byte, 8)
	binary.LittleEndian.PutUint32(header, unix.LINUX_CAPABILITY_VERSION_3)
	p.call("drop all capabilities", unix.SYS_CAPSET, p.bytes(header), p.bytes(make([]byte, 24)))
}

func (p *program) noNewPrivileges() {
	p.call("set no_new_privs", unix.SYS_PRCTL, num(unix.PR_SET_NO_NEW_PRIVS), num(1), num(0), num(0), num(0))
}

// hideMemory makes the process untraceable and its /proc files root's: what
// runs a launch list holds descriptors and takes part in two worlds.
func (p *program) hideMemory() {
	p.call("hide the memory of the launcher", unix.SYS_PRCTL, num(unix.PR_SET_DUMPABLE), num(0), num(0), num(0), num(0))
}

// filter adds the installation of a seccomp filter.
func (p *program) filter(code []seccomp.Instruction, flags int) *entry {
	raw := make([]byte, 0, 8*len(code))
	for _, in := range code {
		raw = binary.LittleEndian.AppendUint16(raw, in.Code)
		raw = append(raw, in.JT, in.JF)
		raw = binary.LittleEndian.AppendUint32(raw, in.K)
	}
	prog := p.words(num(len(code)), p.bytes(raw))
	return p.call("filter system calls", unix.SYS_SECCOMP, num(unix.SECCOMP_SET_MODE_FILTER), num(flags), prog)
}

// landlockRights are the bits of landlock_access_fs in landlock(7).
var landlockRights = map[string]uint64{
	"execute": 1 << 0, "write_file": 1 << 1, "read_file": 1 << 2, "read_dir": 1 << 3,
	"remove_dir": 1 << 4, "remove_file": 1 << 5, "make_char": 1 << 6, "make_dir": 1 << 7,
	"make_reg": 1 << 8, "make_sock": 1 << 9, "make_fifo": 1 << 10, "make_block": 1 << 11,
	"make_sym": 1 << 12, "refer": 1 << 13, "truncate": 1 << 14, "ioctl_dev": 1 << 15,
}

// landlockScopes are the bits of the scoped field.
var landlockScopes = map[string]uint64{"abstract_unix_socket": 1, "signal": 2}

func landlockBits(names []string, table map[string]uint64) (uint64, error) {
	var bits uint64
	for _, n := range names {
		b, ok := table[n]
		if !ok {
			return 0, fmt.Errorf("unknown landlock right %q", n)
		}
		bits |= b
	}
	return bits, nil
}

// landlockRules adds the rules of the step to the ruleset, from inside, so
// that they mean the mounts that the commands see.
func (p *program) landlockRules(st plan.Landlock, ruleset int) error {
	for _, rule := range st.Rules {
		bits, err := landlockBits(rule.Access, landlockRights)
		if err != nil {
			return err
		}
		attr := p.words(arg{value: bits}, num(0))
		fd := p.cell(0)
		p.call("open "+rule.Path, unix.SYS_OPENAT, atFDCWD, p.str(rule.Path), num(unix.O_PATH|unix.O_CLOEXEC)).to(fd)
		p.call("place it in the rule", nrCopy, fd.at, attr.plus(8))
		p.call("allow "+rule.Path, unix.SYS_LANDLOCK_ADD_RULE, num(ruleset), num(unix.LANDLOCK_RULE_PATH_BENEATH), attr, num(0))
		p.call("close "+rule.Path, unix.SYS_CLOSE, fd.value())
	}
	return nil
}
