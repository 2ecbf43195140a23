// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package session

import (
	"context"
	"runtime"
	"time"

	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/core/diag"
)

// Sessions pass descriptors and ask who is at the other end in the way of Linux.
func unsupported() error {
	return diag.New(diag.ModeUnsupported, "sessions are not there on "+runtime.GOOS, "hold the sandbox open with caisson serve, or with the library")
}

// Holder holds one session in this process; here there is none.
type Holder struct{}

// Claim refuses.
func Claim(string, string) (*Holder, error) { return nil, unsupported() }

// Listen is never reached.
func (*Holder) Listen(Info, time.Duration) error { return unsupported() }

// Serve is never reached.
func (*Holder) Serve(context.Context, serve.Held, string) {}

// Release is never reached.
func (*Holder) Release() {}

// Attach refuses.
func Attach(string, string) (*serve.Client, func(), error) { return nil, nil, unsupported() }

// End refuses.
func End(string, string) error { return unsupported() }

// List refuses.
func List(string) ([]Info, error) { return nil, unsupported() }
