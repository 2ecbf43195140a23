// SPDX-License-Identifier: Apache-2.0

package sandbox

import "github.com/caisson-sandbox/caisson/core/launch"

// Stage must be called at the start of main by every program that opens
// sandboxes on macOS. There a command is started by a second process of the
// program itself, inside the sandbox, which proves that the sandbox is in force
// and then becomes the command; Stage is what that process does, and it does
// not return there. In every other process, and on every other system, it does
// nothing. A program that does not call it cannot open a sandbox on macOS.
func Stage() { launch.Stage() }
