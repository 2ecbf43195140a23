// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// connect connects a socket to an abstract name in the outer domain, where
// Landlock keeps names outside apart. A process of its own does it and not the
// agent: commands share the socket's flags, so that they can have the call block
// until their listener accepts, and the agent is who ends them.
func (f *fence) connect(socket int, addr []byte) unix.Errno {
	const theirs, report = 0, 1
	p := &program{step: -1, report: report}
	p.call("keep the listed descriptors only", unix.SYS_CLOSE_RANGE, num(report+1), num(1<<32-1), num(0))
	p.hideMemory()
	p.call("connect", unix.SYS_CONNECT, num(theirs), p.bytes(addr), num(len(addr)))
	p.call("tell the supervisor", unix.SYS_WRITE, num(report), p.words(num(msgReady), num(0), num(0)), num(24))
	p.call("end", unix.SYS_EXIT_GROUP, num(0))
	image, err := p.memfd()
	if err != nil {
		return unix.EAGAIN
	}
	defer unix.Close(image)
	ctl, err := newControl()
	if err != nil {
		return unix.EAGAIN
	}
	defer ctl.close()
	f.kin.expect()
	defer f.kin.gone()
	pid := 0
	f.agent.do(func() { pid, err = execImage(image, socket, ctl.other) })
	if err != nil || pid == 0 {
		return unix.EAGAIN
	}
	ctl.handedOver()
	err = p.ready(ctl, &plan.Plan{})
	_ = unix.Kill(pid, unix.SIGKILL) // it may still wait for who listens
	reap(pid)
	var failed *StepError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.Errno
	}
	return unix.ETIMEDOUT
}
