// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sandbox_test

import (
	"errors"
	"testing"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// alone is a backend that says that its sandboxes take one command.
type alone struct{ backend.Backend }

func (a alone) Info() backend.Info {
	i := a.Backend.Info()
	i.OneCommand = true
	return i
}

// TestOneCommand: a backend that takes one command for each sandbox is not
// given a second one, and one that could not be started does not count.
func TestOneCommand(t *testing.T) {
	t.Parallel()
	for _, one := range []bool{true, false} {
		o := &sandbox.Options{}
		for _, b := range sandbox.Backends() {
			if one {
				b = alone{b}
			}
			o.Backends = append(o.Backends, b)
		}
		sb, _ := open(t, nil, o)
		if err := sb.Command(t.Context(), "no-such-command").Run(); err == nil {
			t.Error("a command that does not exist ran")
		}
		if err := sb.Command(t.Context(), "true").Run(); err != nil {
			t.Error(err)
		}
		err := sb.Command(t.Context(), "true").Run()
		if d, ok := errors.AsType[*diag.Diagnostic](err); one != (ok && d.Code == diag.OneCommand) || !one && err != nil {
			t.Errorf("one command %v: the next: %v", one, err)
		}
	}
}
