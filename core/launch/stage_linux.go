// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// proof is a Proof of which it is known that it proves something: without the
// sandbox each of these acts succeeds.
type proof struct {
	allowed, forbidden writing
	offline            bool
	filtered, answers  bool // the plan has a filter; the supervisor answers calls
}

// writing is an attempt to make a file in a directory: one without a name
// where the file system has that, else one that is removed at once.
type writing struct {
	dir     string
	unnamed bool
	name    string
}

func newProof(want Proof) (proof, error) {
	p := proof{offline: want.Offline}
	var err error
	if want.Writable != "" {
		if p.allowed, err = newWriting(want.Writable); err != nil {
			return p, diag.New(diag.AttestFailed, fmt.Sprintf("it cannot be shown that %s can be written: %v", diag.Quote(want.Writable), err), "")
		}
	}
	for _, dir := range want.Forbidden {
		if p.forbidden, err = newWriting(dir); err == nil {
			return p, nil
		}
	}
	return p, diag.New(diag.AttestFailed, "there is no place outside the writable and the temporary directories that the caller can write to, so it cannot be shown that commands cannot",
		"use a built-in backend; or have a home, a workspace or caisson's state (XDG_STATE_HOME) outside of the temporary directories, in one of your own")
}

// newWriting finds out how a file can be made in a directory, by making one.
func newWriting(dir string) (writing, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err == nil {
		unix.Close(fd)
		return writing{dir: dir, unnamed: true}, nil
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // it never fails
	w := writing{dir: dir, name: path.Join(dir, ".caisson-"+hex.EncodeToString(random))}
	if fd, err = unix.Open(w.name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600); err != nil {
		return w, err
	}
	unix.Close(fd)
	return w, unix.Unlink(w.name)
}

// try adds the attempt to a list. What it came to is stored at an address; a
// failure stores nothing.
func (w writing) try(p *program, result arg) {
	if w.dir == "" {
		return
	}
	if w.unnamed {
		p.call("make a file in "+w.dir, unix.SYS_OPENAT, atFDCWD, p.str(w.dir), num(unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC), num(0o600)).toField(result).with(flagIgnore)
		return
	}
	p.call("make a file in "+w.dir, unix.SYS_OPENAT, atFDCWD, p.str(w.name), num(unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC), num(0o600)).toField(result).with(flagIgnore)
	p.call("remove it", unix.SYS_UNLINKAT, atFDCWD, p.str(w.name), num(0)).with(flagIgnore)
}

// proving is a proof during the start of one command: with a listener on the
// host's loopback, which the stage tries to reach.
type proving struct {
	proof
	listener *net.TCPListener // nil where the network is no matter
}

func (p proof) listen() (*proving, error) {
	if !p.offline {
		return &proving{proof: p}, nil
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, diag.New(diag.AttestFailed, fmt.Sprintf("it cannot be shown that the host's network is out of reach: %v", err), "")
	}
	return &proving{p, l}, nil
}

func (p *proving) close() {
	if p.listener != nil {
		p.listener.Close()
	}
}

// reached reports whether something connected to the listener.
func (p *proving) reached() bool {
	raw, err := p.listener.SyscallConn()
	if err != nil {
		return true
	}
	waiting := true
	err = raw.Control(func(fd uintptr) {
		conn, _, err := unix.Accept4(int(fd), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if waiting = err != unix.EAGAIN; err == nil {
			unix.Close(conn)
		}
	})
	return err != nil || waiting
}

// The words of the stage's message, behind its kind. A word that keeps its
// first value says that the act failed.
const (
	stageAllowed = iota // a file in a writable directory
	stageForbidden
	stageConnect
	stageSeccomp    // PR_GET_SECCOMP
	stageNoNewPrivs // PR_GET_NO_NEW_PRIVS
	stageWords
)

const stageFailed = math.MaxUint64

// stageProgram is the list that the innermost wrapper executes. It proves, then
// does what the last part of the list of a command does elsewhere: the filter of
// system calls, where the plan has one, is in force for the command alone.
func stageProgram(c Command, in *inherited, p *proving, filter []seccomp.Instruction) *entering {
	e := &entering{control: len(in.fds)}
	e.step, e.report = -1, e.control
	failed := arg{value: stageFailed}
	e.message = e.words(num(msgStage), failed, failed, failed, failed, failed)
	at := func(n int) arg { return e.message.plus(8 * (1 + n)) }
	p.allowed.try(&e.program, at(stageAllowed))
	p.forbidden.try(&e.program, at(stageForbidden))
	if p.listener != nil {
		port := p.listener.Addr().(*net.TCPAddr).Port
		address := binary.NativeEndian.AppendUint16(nil, unix.AF_INET) // struct sockaddr_in, see ip(7)
		address = append(binary.BigEndian.AppendUint16(address, uint16(port)), 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
		fd := e.cell(-1)
		e.call("make a socket", unix.SYS_SOCKET, num(unix.AF_INET), num(unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC), num(0)).to(fd).with(flagIgnore)
		e.call("connect to the host's loopback", unix.SYS_CONNECT, fd.value(), e.bytes(address), num(len(address))).toField(at(stageConnect)).with(flagIgnore)
	}
	e.call("keep the command's descriptors only", unix.SYS_CLOSE_RANGE, num(e.control+1), num(1<<32-1), num(0))
	for n, fd := range in.fds {
		if fd < 0 {
			e.call(fmt.Sprintf("close descriptor %d", n), unix.SYS_CLOSE, num(n)).with(flagIgnore)
		}
	}
	e.call("go to "+c.Dir, unix.SYS_CHDIR, e.str(c.Dir))
	e.reopen(slices.DeleteFunc(slices.Clone(in.reopen), func(r reopen) bool { return r.offset < 0 })) // devices are passed as they are
	e.call("keep the command's descriptors only", unix.SYS_CLOSE_RANGE, num(e.control+1), num(1<<32-1), num(0))
	core := e.words(num(1), num(1))
	e.call("limit core files", unix.SYS_PRLIMIT64, num(0), num(unix.RLIMIT_CORE), core, num(0)).with(flagIgnore)
	e.call("set close-on-exec", unix.SYS_FCNTL, num(e.control), num(unix.F_SETFD), num(unix.FD_CLOEXEC))
	e.callerDispositions()
	if filter != nil {
		e.stageFilter(filter)
	}
	e.call("read the seccomp mode", unix.SYS_PRCTL, num(unix.PR_GET_SECCOMP)).toField(at(stageSeccomp))
	e.call("read no_new_privs", unix.SYS_PRCTL, num(unix.PR_GET_NO_NEW_PRIVS), num(0), num(0), num(0), num(0)).toField(at(stageNoNewPrivs))
	e.call("attest", unix.SYS_WRITE, num(e.control), e.message, num(8*(1+stageWords)))
	e.awaitVerdict()
	e.execute(candidates(c), c.Args, c.Env)
	return e
}

// stageFilter installs the filter of a plan. Where the supervisor answers calls
// it gets a socket for unix_diag too, which the filter would refuse.
func (e *entering) stageFilter(filter []seccomp.Instruction) {
	e.noNewPrivileges()
	if !notifies(filter) {
		e.install(filter)
		return
	}
	diag := e.cell(0)
	e.call("make a socket for unix_diag", unix.SYS_SOCKET, num(unix.AF_NETLINK), num(unix.SOCK_RAW|unix.SOCK_CLOEXEC), num(unix.NETLINK_SOCK_DIAG)).to(diag)
	e.install(filter, diag)
}

// errUnattested says that the wrapper ended without having executed the stage.
var errUnattested = errors.New("the wrapper did not execute the launcher's stage")

// followStage follows the stage until the command executes, which it does only
// when what it proved was judged. The wrapper is given up where anything but
// that happens. What the supervisor needs to answer calls is the caller's.
func (e *entering) followStage(ctx context.Context, ctl *control, p *proving, pr *Process) (answering []int, err error) {
	attested := false
	for {
		m, err := receiveUntil(ctx, ctl)
		switch {
		case err != nil:
			return answering, err
		case m == nil && !attested:
			return answering, errUnattested
		case m == nil:
			return answering, nil
		case len(m.words) == 2:
			return answering, e.failureOf(m.words, nil)
		case len(m.words) > 2 && m.words[0] == msgListener && len(m.fds) == 2 && answering == nil && !attested:
			answering = m.fds
		case len(m.words) > 2 && m.words[0] == msgReopened:
			pr.reopened = append(pr.reopened, m.fds...)
		case len(m.words) == 1+stageWords && m.words[0] == msgStage && !attested:
			attested = true
			if p.answers != (answering != nil) {
				return answering, errors.New("the stage handed over no listener")
			}
			if err := p.judge(m.words[1:]); err != nil {
				return answering, err
			}
			if err := ctl.letGo(); err != nil {
				return answering, err
			}
		default:
			closeAll(m.fds)
			return answering, errors.New("unexpected message of the stage")
		}
	}
}

// judge compares what the stage could do with what commands may do.
func (p *proving) judge(words []uint64) error {
	fail := func(format string, args ...any) error {
		return diag.New(diag.AttestFailed, "inside the wrapper "+fmt.Sprintf(format, args...), "the backend does not confine commands on this host; choose another one with --backend")
	}
	switch {
	case p.allowed.dir != "" && words[stageAllowed] == stageFailed:
		return fail("%s cannot be written, and should be", diag.Quote(p.allowed.dir))
	case words[stageForbidden] != stageFailed:
		return fail("%s can be written, and should not be", diag.Quote(p.forbidden.dir))
	case p.listener != nil && (words[stageConnect] != stageFailed || p.reached()):
		return fail("the host's loopback can be reached, and should not be")
	case p.filtered && (words[stageSeccomp] != unix.SECCOMP_MODE_FILTER || words[stageNoNewPrivs] != 1):
		return fail("the filter of system calls is not in force")
	}
	return nil
}

// wrappedSyscalls prints the lists of a command "CMD": that which executes the
// wrappers, and the stage that these execute.
func wrappedSyscalls(step plan.Wrap, filter []seccomp.Instruction) (string, error) {
	w := &wrapped{step: plan.Wrap{}, tmp: tmpDir{path: plan.TmpSymbol}}
	for _, p := range step.Programs {
		w.step.Programs = append(w.step.Programs, plan.Program{Path: p.Path})
	}
	fds := make([]int, 5)
	argv, _, err := w.arguments(4, &fds)
	if err != nil {
		return "", err
	}
	first := wrapperProgram(argv, len(fds), -1, -1)
	command := Command{Path: "CMD", Args: []string{"CMD"}, Dir: "/"}
	stage := stageProgram(command, &inherited{fds: make([]int, 3)}, &proving{}, filter)
	var b strings.Builder
	b.WriteString("# before the wrappers\n")
	first.print(&b, nil)
	b.WriteString("\n# in the innermost wrapper, after what proves that it confines\n")
	stage.print(&b, nil)
	return b.String(), nil
}
