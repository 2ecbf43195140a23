// SPDX-License-Identifier: Apache-2.0

//go:build !darwin && !windows && (!linux || !(amd64 || arm64))

package launch

import (
	"context"
	"errors"
	"runtime"
	"syscall"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Sandbox is a running sandbox; there is none on this system.
type Sandbox struct{}

// Process is a command that was started; there is none on this system.
type Process struct{}

func unsupported() error {
	return diag.New(diag.ModeUnsupported, "this version starts no sandboxes on "+runtime.GOOS+"/"+runtime.GOARCH, "use Linux on amd64 or arm64")
}

// Open refuses.
func Open(context.Context, *plan.Plan, Options) (*Sandbox, error) { return nil, unsupported() }

// Try refuses.
func Try(*plan.Plan) error { return unsupported() }

// Syscalls refuses.
func Syscalls(*plan.Plan) (string, error) { return "", unsupported() }

// Collect has nothing to do.
func Collect(string, func(diag.Diagnostic)) error { return nil }

// Start refuses.
func (*Sandbox) Start(context.Context, Command) (*Process, error) { return nil, unsupported() }

// Close has nothing to do.
func (*Sandbox) Close() error { return nil }

// Pid is 0.
func (*Process) Pid() int { return 0 }

// Wait fails.
func (*Process) Wait() (Status, error) { return Status{}, errors.ErrUnsupported }

// Signal fails.
func (*Process) Signal(syscall.Signal) error { return errors.ErrUnsupported }

// Kill fails.
func (*Process) Kill() error { return errors.ErrUnsupported }

// Reached is zero: nothing is counted on this system.
func (s *Sandbox) Reached() Reached { return Reached{} }
