// SPDX-License-Identifier: Apache-2.0

package sandboxexec

import "golang.org/x/sys/unix"

// The requests of tcgetattr(3) and tcsetattr(3) with TCSADRAIN.
const (
	getModes = unix.TIOCGETA
	setModes = unix.TIOCSETAW
)
