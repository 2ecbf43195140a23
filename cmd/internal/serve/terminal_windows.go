// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"io"
	"os"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// openTerminal refuses: a terminal of Windows is a console, which a command does
// not have as a file.
func openTerminal(size) (master, slave *os.File, err error) {
	return nil, nil, diag.New(diag.ModeUnsupported, "commands have no terminal through caisson serve on Windows", `start it without "tty"`)
}

func resizeTerminal(*os.File, size) error { return nil }

// patience is how long a command's output may still come after its end: a pipe of
// Windows does not say whether it is empty.
const patience = 200 * time.Millisecond

// interrupt ends a read that waits, by closing the pipe.
func interrupt(f *os.File) { time.AfterFunc(patience, func() { f.Close() }) }

func readNow(*os.File, []byte) (int, error) { return 0, io.EOF }

// signalNamed knows what ends a process; KILL is known to the caller.
func signalNamed(name string) (syscall.Signal, bool) {
	sig, ok := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM}[name]
	return sig, ok
}
