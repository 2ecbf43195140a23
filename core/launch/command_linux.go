// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// Process is a command that was started.
type Process struct {
	sandbox *Sandbox
	pid     int
}

// start makes the command; it runs on the sandbox's thread.
func (s *Sandbox) start(c spec, files []int) (*Process, error) {
	c.callerPID = os.Getpid()
	c.std = len(files)
	list, err := enterProgram(s.plan, len(s.spaces), s.filter, c)
	if err != nil {
		return nil, err
	}
	image, err := list.memfd()
	if err != nil {
		return nil, err
	}
	defer unix.Close(image)
	ctl, err := newControl()
	if err != nil {
		return nil, err
	}
	defer ctl.close()
	fds := append(append(append([]int{}, files...), ctl.other), s.spaces...)
	first, err := execImage(image, fds...)
	if err != nil {
		return nil, err
	}
	ctl.handedOver()
	p := &Process{sandbox: s}
	listener := -1
	attested := false
	var failure error
	for failure == nil {
		m, err := ctl.receive()
		if err != nil {
			failure = err
			break
		}
		if m == nil {
			break
		}
		switch {
		case len(m.words) == 1 && p.pid == 0:
			p.pid = int(m.words[0])
		case len(m.words) == 2:
			failure = list.failureOf(m.words, s.plan.Steps)
		case m.words[0] == msgListener && len(m.fds) == 1 && listener < 0:
			listener = m.fds[0]
		case m.words[0] == msgAttest && !attested:
			attested = true
			failure = list.attest(m.words[1:], s.plan)
		default:
			failure = errors.New("unexpected message of a launch list")
		}
	}
	if failure == nil && (p.pid == 0 || !attested) {
		failure = errors.New("the launch list ended early")
	}
	reap(first)
	if failure != nil {
		if p.pid != 0 {
			_ = unix.Kill(p.pid, unix.SIGKILL)
			reap(p.pid)
		}
		if listener >= 0 {
			unix.Close(listener)
		}
		return nil, failure
	}
	if listener >= 0 {
		unix.Close(listener)
	}
	return p, nil
}

// attest compares what the command's process read back with the plan.
func (e *entering) attest(words []uint64, p *plan.Plan) error {
	for i, step := range p.Steps {
		switch step.(type) {
		case plan.Privileges, plan.Seccomp, plan.Limits:
			if words[attestWords+i/64]&(1<<(i%64)) == 0 {
				return fmt.Errorf("the command did not apply step %d, %s", i, step.Name())
			}
		}
		want := true
		switch step.(type) {
		case plan.Privileges:
			want = words[attestNoNewPrivs] == 1 && words[attestCapsLow] == 0 && uint32(words[attestCapsHigh]) == 0
		case plan.Seccomp:
			want = words[attestSeccomp] == unix.SECCOMP_MODE_FILTER
		case plan.ReadOnlyRoot:
			want = words[attestRootFlags]&unix.ST_RDONLY != 0
		case plan.Namespaces:
			want = words[attestParent] == 0
		}
		if !want {
			return fmt.Errorf("step %s does not hold for the command", step.Name())
		}
	}
	return nil
}
