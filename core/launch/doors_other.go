// SPDX-License-Identifier: Apache-2.0

//go:build !linux || !(amd64 || arm64)

package launch

import (
	"context"
	"errors"
	"net"
)

// Listeners returns the sockets on the loopback inside that a plan asks for:
// none, as plans for this system know no step egress.
func (*Sandbox) Listeners() []net.Listener { return nil }

// DialInside fails: there is no network inside but the host's.
func (*Sandbox) DialInside(context.Context, int) (net.Conn, error) { return nil, errors.ErrUnsupported }
