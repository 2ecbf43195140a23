// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// Descriptors of the nursery. It keeps the control at one that no command has,
// so that what it is sent gets the numbers from 0.
const (
	nurseryStart   = iota // control, at the start
	nurseryRuleset        // Landlock ruleset
	nurseryImage
	nurseryControl = 255 // most soft limits of descriptors are 1024, the least common ones 256
)

// startNursery starts the process that forks the commands, and puts it into the
// inner domain. It runs on the agent.
func (s *Sandbox) startNursery() error {
	f := s.fence
	ruleset, err := newRuleset(s.plan)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	list, err := nurseryProgram(s.plan, f.rules, s.options.Terminal)
	if err != nil {
		return err
	}
	image, err := list.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(image)
	if f.births, err = newControl(); err != nil {
		return err
	}
	if f.nursery, err = execImage(image, f.births.other, ruleset); err != nil {
		return err
	}
	if err := s.cgroup.adopt(f.nursery); err != nil {
		return err
	}
	f.kin.know(f.nursery)
	f.births.handedOver()
	return list.ready(f.births, s.plan)
}

// ready waits until a list says that it has done its part.
func (p *program) ready(ctl *control, pl *plan.Plan) error {
	m, err := ctl.receive()
	switch {
	case err != nil:
		return err
	case m == nil:
		return errors.New("a process of the launcher ended early")
	case len(m.words) == 2:
		return p.failureOf(m.words, pl.Steps)
	case len(m.words) != 3 || m.words[0] != msgReady:
		return errors.New("unexpected message of a launch list")
	}
	return nil
}

// nurseryProgram is the list of the nursery: it restricts itself, and then forks
// a process for each message and executes the image in it.
func nurseryProgram(pl *plan.Plan, rules plan.Landlock, terminal string) (*program, error) {
	p := &program{step: -1, report: nurseryStart}
	p.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(nurseryImage), num(1<<32-1), num(0))
	mask := p.words(num(0))
	p.call("block signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_BLOCK), p.words(num(-1)), mask, num(8))
	p.dieWith(os.Getpid())
	p.hideMemory()
	for i, step := range pl.Steps {
		p.step = i
		switch step.(type) {
		case plan.Privileges:
			p.boundCapabilities()
			p.call("lock the secure bits", unix.SYS_PRCTL, num(unix.PR_SET_SECUREBITS), num(secureBits)).with(flagIgnore) // for who has capabilities
			p.dropCapabilities()
			p.noNewPrivileges()
		case plan.Landlock:
			if err := p.fenceRules(rules, terminal); err != nil {
				return nil, err
			}
			p.call("restrict the nursery by Landlock", unix.SYS_LANDLOCK_RESTRICT_SELF, num(nurseryRuleset), num(0))
		}
	}
	p.step = -1
	p.call("move the control away", unix.SYS_DUP3, num(nurseryStart), num(nurseryControl), num(unix.O_CLOEXEC))
	p.call("tell the supervisor", unix.SYS_WRITE, num(nurseryControl), p.words(num(msgReady), num(0), num(0)), num(24))
	p.serveBirths(mask)
	return p, nil
}

// serveBirths adds the loop of the nursery. The child executes before the next
// message is looked at (CLONE_VFORK): it shares the memory until then.
func (p *program) serveBirths(mask arg) {
	const most = nurseryControl
	loop := len(p.entries)
	p.call("free the numbers", unix.SYS_CLOSE_RANGE, num(0), num(nurseryControl-1), num(0))
	size := 16 + 8*((most+1)/2)
	got := p.cell(0)
	order := p.words(num(0), num(0)) // the image's descriptor, the number of the birth
	image, birth := cell{order}, cell{order.plus(8)}
	pid := p.cell(0)
	report := p.words(num(msgBorn), num(0), num(0))
	iov := p.words(order, num(16))
	header := p.words(num(0), num(0), iov, num(1), p.bytes(make([]byte, size)), num(size), num(0))
	p.call("make room for descriptors", nrCopy, p.words(num(size)), header.plus(40))
	p.call("wait for a command", unix.SYS_RECVMSG, num(nurseryControl), header, num(0)).with(flagRetry).to(got)
	p.check("there is a command", got.at, ^uint64(0), 16)
	fork := len(p.entries)
	p.call("fork the command", unix.SYS_CLONE, num(unix.CLONE_PARENT|unix.CLONE_VM|unix.CLONE_VFORK|int(unix.SIGCHLD))).to(pid)
	p.call("place its id in the report", nrCopy, pid.at, report.plus(8))
	p.call("place its number in the report", nrCopy, birth.at, report.plus(16))
	p.call("report the command", unix.SYS_WRITE, num(nurseryControl), report, num(24))
	p.call("wait for the next one", nrCheck, p.words(num(0)), num(0), num(1)).with(flagOnError)
	p.entries[len(p.entries)-1].jump = loop
	p.entries[fork].jump = len(p.entries)
	p.call("restore the signal mask", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), mask, num(0), num(8))
	none := p.words(num(0))
	p.call("execute the list of the command", unix.SYS_EXECVEAT, image.value(), p.str(""), p.words(p.str("caisson"), num(0)), none, num(unix.AT_EMPTY_PATH))
}

// fenceRules adds the rules of the step landlock, with the exceptions taken out
// and the caller's terminal added.
func (p *program) fenceRules(st plan.Landlock, terminal string) error {
	for _, r := range st.Rules {
		names, err := around(r.Path, r.Except)
		if err != nil {
			return err
		}
		whole := len(r.Except) == 0
		bits, err := landlockBits(r.Access, landlockRights)
		if err != nil {
			return err
		}
		for _, e := range names {
			access := bits
			if !e.dir {
				access &= fileRights
			}
			p.fenceRule(e.path, access, !whole, r.Dev, r.Ino)
		}
	}
	if terminal == "" {
		return nil
	}
	handled, err := landlockBits(st.Handled, landlockRights)
	if err != nil {
		return err
	}
	p.fenceRule(terminal, handled&(landlockRights["read_file"]|landlockRights["write_file"]|landlockRights["ioctl_dev"]), true, 0, 0)
	return nil
}

// fileRights are those that a rule for something else than a directory may have.
const fileRights = 1<<0 | 1<<1 | 1<<2 | 1<<14 | 1<<15

// fenceRule adds one rule. The path is resolved without following links. What
// went away meanwhile needs no rule where it may fail.
func (p *program) fenceRule(name string, access uint64, mayFail bool, dev, ino uint64) {
	attr := p.words(arg{value: access}, num(0))
	fd := p.cell(-1)
	how := p.words(num(unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW), num(0), num(unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS))
	first := len(p.entries)
	p.call("find "+name, unix.SYS_OPENAT2, atFDCWD, p.str(name), how, num(24)).to(fd)
	if ino != 0 && !mayFail {
		p.checkIdentity(name, fd.value(), dev, ino)
	}
	p.call("place it in the rule", nrCopy, fd.at, attr.plus(8))
	allow := p.call("allow "+name, unix.SYS_LANDLOCK_ADD_RULE, num(nurseryRuleset), num(unix.LANDLOCK_RULE_PATH_BENEATH), attr, num(0))
	if mayFail {
		allow.with(flagIgnore)
	}
	p.call("close "+name, unix.SYS_CLOSE, fd.value())
	if mayFail {
		p.entries[first].with(flagOnError).jump = len(p.entries)
	}
}

// found is something that a rule is for.
type found struct {
	path string
	dir  bool
}

// maxAround bounds how many rules one exception can make.
const maxAround = 100_000

// around returns what a rule for name is for without its exceptions: name
// itself where there are none, else the entries beside them and beside the
// directories on the way to them. Symbolic links need no rule: what counts is
// where they lead.
func around(name string, except []string) ([]found, error) {
	var list []found
	var walk func(at string, except []string) error
	walk = func(at string, except []string) error {
		entries, err := os.ReadDir(at)
		if err != nil {
			return nil // nobody who cannot list it can do much there
		}
		for _, e := range entries {
			here := path.Join(at, e.Name())
			below := slices.DeleteFunc(slices.Clone(except), func(x string) bool { return x != here && !strings.HasPrefix(x, here+"/") })
			switch {
			case e.Type()&os.ModeSymlink != 0 || slices.Contains(below, here):
			case len(below) > 0 && e.IsDir():
				if err := walk(here, below); err != nil {
					return err
				}
			default:
				list = append(list, found{here, e.IsDir()})
			}
			if len(list) > maxAround {
				return fmt.Errorf("too many files beside what is hidden in %s", name)
			}
		}
		return nil
	}
	if len(except) > 0 {
		err := walk(name, except)
		return list, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return []found{{name, true}}, nil // the list will not find it and says so
	}
	return []found{{name, st.Mode&unix.S_IFMT == unix.S_IFDIR}}, nil
}

// startEnder starts the process that kills what is in the domain when this
// process ends, however it does. It runs on the agent, and so in the outer
// domain: commands cannot signal it. That its own signals cannot leave the
// domain is tried before it is relied on: it must not reach the anchor.
func (s *Sandbox) startEnder() error {
	f := s.fence
	list := enderProgram(s.init)
	image, err := list.memfd()
	if err != nil {
		return err
	}
	defer unix.Close(image)
	if f.end, err = newControl(); err != nil {
		return err
	}
	pid, err := execImage(image, f.end.other)
	if err != nil {
		return err
	}
	f.end.handedOver()
	if err = list.ready(f.end, s.plan); err != nil {
		reap(pid)
		return err
	}
	f.ender = pid
	f.kin.know(pid)
	return nil
}

func enderProgram(anchor int) *program {
	const control = 0
	p := &program{step: -1, report: control}
	p.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(control+1), num(1<<32-1), num(0))
	p.call("block all signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), p.words(arg{value: ^uint64(0)}), num(0), num(8))
	p.call("leave the caller's session", unix.SYS_SETSID).with(flagIgnore)
	p.hideMemory()
	p.call("go to /", unix.SYS_CHDIR, p.str("/"))
	try := len(p.entries)
	p.call("try to signal a process outside", unix.SYS_KILL, num(anchor), num(0)).with(flagOnError)
	p.call("signals stay in the domain", nrCheck, p.words(num(0)), arg{value: ^uint64(0)}, num(1))
	p.entries[try].jump = len(p.entries)
	p.call("tell the supervisor", unix.SYS_WRITE, num(control), p.words(num(msgReady), num(0), num(0)), num(24))
	p.call("wait for the end of the caller", unix.SYS_READ, num(control), p.words(num(0)), num(8)).with(flagRetry | flagIgnore)
	// One call sees all processes at once, and none of them can fork after it.
	p.call("kill what is in the domain", unix.SYS_KILL, num(-1), num(int(unix.SIGKILL))).with(flagIgnore)
	p.call("end", unix.SYS_EXIT_GROUP, num(0))
	return p
}
