// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// The statuses of the role "connect".
const (
	statusConnected = 10
	statusRefused   = 11
)

// connect is the role of a process of the account that tries to connect to the
// address that it reads.
func connect(in io.Reader) int {
	text, err := io.ReadAll(io.LimitReader(in, 100))
	if err != nil {
		return 1
	}
	c, err := net.DialTimeout("tcp4", strings.TrimSpace(string(text)), 2*time.Second)
	if err != nil {
		return statusRefused
	}
	_ = c.Close() // the connection is the answer
	return statusConnected
}

// connectAs starts the role "connect" as the leased account.
func connectAs(l *lease, address string) (bool, error) {
	program, err := os.Executable()
	if err != nil {
		return false, err
	}
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return false, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer r.Close()
	defer w.Close()
	in := windows.Handle(r.Fd())
	if err := windows.SetHandleInformation(in, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		return false, err
	}
	info, err := winapi.LogonProcess(l.name, l.password, program, `"`+program+`" connect`, system, [3]windows.Handle{in, 0, 0},
		windows.CREATE_UNICODE_ENVIRONMENT|windows.CREATE_NO_WINDOW)
	if err != nil {
		return false, logonFailed(l.name, err)
	}
	defer windows.CloseHandle(info.Thread)
	defer windows.CloseHandle(info.Process)
	if _, err := w.WriteString(address); err != nil {
		return false, err
	}
	if err := w.Close(); err != nil {
		return false, err
	}
	const patience = 10_000 // milliseconds
	if event, err := windows.WaitForSingleObject(info.Process, patience); err != nil || event != windows.WAIT_OBJECT_0 {
		return false, errors.Join(err, errors.New("the test of the network does not end"), windows.TerminateProcess(info.Process, 1))
	}
	var code uint32
	if err := windows.GetExitCodeProcess(info.Process, &code); err != nil {
		return false, err
	}
	switch code {
	case statusConnected:
		return true, nil
	case statusRefused:
		return false, nil
	}
	return false, fmt.Errorf("the test of the network ended with status %d", code)
}
