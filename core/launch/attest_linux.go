// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// stepError says which entry of a launch list failed.
type stepError struct {
	Step  string // of the plan; empty for the launcher's own entries
	Entry string
	Errno unix.Errno
}

func (e *stepError) Error() string {
	if e.Step == "" {
		return fmt.Sprintf("%s: %v", e.Entry, e.Errno)
	}
	return fmt.Sprintf("step %s: %s: %v", e.Step, e.Entry, e.Errno)
}

func (e *stepError) Unwrap() error { return e.Errno }

// failureOf reads the walker's report of a failure: errno, address of the entry.
func (p *program) failureOf(words []uint64, steps []plan.Step) error {
	i := (words[1] - dataAddress - headerSize) / entrySize
	if i >= uint64(len(p.entries)) {
		return fmt.Errorf("unreadable report of a launch list")
	}
	e := &stepError{Entry: p.entries[i].what, Errno: unix.Errno(words[0])}
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
