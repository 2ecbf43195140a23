// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/signal"

	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// signals keeps Ctrl-C, which the console sends to the command as well, from
// ending caisson first.
type signals struct{ caught chan os.Signal }

func catchSignals() *signals {
	s := &signals{caught: make(chan os.Signal, 1)}
	signal.Notify(s.caught, os.Interrupt)
	return s
}

func (s *signals) passTo(*sandbox.Cmd) {}

func (s *signals) stop() { signal.Stop(s.caught) }
