// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// failureOf reads the walker's report of a failure: errno, address of the entry.
func (p *program) failureOf(words []uint64, steps []plan.Step) error {
	i := (words[1] - dataAddress - headerSize) / entrySize
	if i >= uint64(len(p.entries)) {
		return fmt.Errorf("unreadable report of a launch list")
	}
	e := &StepError{Entry: p.entries[i].what, Errno: unix.Errno(words[0])}
	if n := p.entries[i].step; n >= 0 {
		e.Step = steps[n].Name()
	}
	return e
}

func (s *setup) failure(words []uint64) error { return s.failureOf(words, s.plan.Steps) }

// compare checks that process 1 applied every step that is its own.
func (s *setup) compare(bits []uint64) error {
	for i, step := range s.plan.Steps {
		switch step.(type) {
		case plan.Watch, plan.Broker, plan.ProcessGroup, plan.Limits:
			continue // of the supervisor or the commands
		}
		if bits[i/64]&(1<<(i%64)) == 0 {
			return fmt.Errorf("process 1 did not apply step %d, %s", i, step.Name())
		}
	}
	return nil
}

// attest compares what the command's process read back with the plan.
func (e *entering) attest(words []uint64, p *plan.Plan) error {
	if e.less && words[attestLess] != 1 {
		return fmt.Errorf("what the command is to have less does not hold for it")
	}
	for i, step := range p.Steps {
		holds := true
		switch step.(type) {
		case plan.Privileges:
			holds = words[attestNoNewPrivs] == 1 && words[attestCapsLow] == 0 && uint32(words[attestCapsHigh]) == 0
		case plan.Seccomp:
			holds = words[attestSeccomp] == unix.SECCOMP_MODE_FILTER
		case plan.ReadOnlyRoot:
			holds = words[attestRootFlags]&unix.ST_RDONLY != 0
		case plan.Namespaces:
			holds = words[attestParent] == 0
		case plan.Landlock:
			holds = !p.Fenced() || words[attestReads] != stageFailed && words[attestWrites] == stageFailed
		}
		switch step.(type) {
		case plan.Privileges, plan.Seccomp, plan.Limits:
			holds = holds && words[attestWords+i/64]&(1<<(i%64)) != 0
		}
		if !holds {
			return fmt.Errorf("step %d, %s, does not hold for the command", i, step.Name())
		}
	}
	return nil
}
