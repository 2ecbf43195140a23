// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// commands counts what was started and is not reaped.
type commands struct {
	sync.WaitGroup
	n atomic.Int64
}

func (c *commands) begin() { c.n.Add(1); c.Add(1) }
func (c *commands) end()   { c.n.Add(-1); c.Done() }

// idle reports whether nothing is alive in the sandbox but process 1: no command,
// and nothing that one has left, which is a child of process 1. Where that cannot
// be known it is not idle.
func (s *Sandbox) idle() bool {
	if s.fence != nil || s.wrapped != nil || s.running.n.Load() > 0 {
		return false
	}
	left, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.init, s.init))
	return err == nil && len(left) == 0 && s.running.n.Load() == 0
}
