// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// The statuses of the role "connect".
const (
	statusConnected = 10
	statusRefused   = 11
)

// listen makes a socket that listens on the loopback, and gives its port.
func listen() (windows.Handle, int, error) {
	if err := windows.WSAStartup(0x202, &windows.WSAData{}); err != nil {
		return 0, 0, fmt.Errorf("start the sockets: %w", err)
	}
	s, err := windows.Socket(windows.AF_INET, windows.SOCK_STREAM, windows.IPPROTO_TCP)
	if err != nil {
		return 0, 0, fmt.Errorf("make a socket: %w", err)
	}
	at := &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(windows.Bind(s, at), windows.Listen(s, 8)); err != nil {
		return 0, 0, errors.Join(err, windows.Closesocket(s))
	}
	bound, err := windows.Getsockname(s)
	if in, ok := bound.(*windows.SockaddrInet4); err == nil && ok {
		return s, in.Port, nil
	}
	return 0, 0, errors.Join(errors.New("no port was bound"), err, windows.Closesocket(s))
}

// dial connects to a port of the loopback.
func dial(port int) error {
	s, err := windows.Socket(windows.AF_INET, windows.SOCK_STREAM, windows.IPPROTO_TCP)
	if err != nil {
		return err
	}
	err = windows.Connect(s, &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
	return errors.Join(err, windows.Closesocket(s))
}

// send sends a datagram to a port of the loopback, where nobody need listen.
func send(port int) error {
	s, err := windows.Socket(windows.AF_INET, windows.SOCK_DGRAM, windows.IPPROTO_UDP)
	if err != nil {
		return err
	}
	err = windows.Sendto(s, []byte{0}, 0, &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
	return errors.Join(err, windows.Closesocket(s))
}

// await listens on the loopback of the newer protocol, and gives that up again.
func await() error {
	s, err := windows.Socket(windows.AF_INET6, windows.SOCK_STREAM, windows.IPPROTO_TCP)
	if err != nil {
		return err
	}
	at := &windows.SockaddrInet6{Addr: [16]byte{15: 1}}
	return errors.Join(windows.Bind(s, at), windows.Listen(s, 1), windows.Closesocket(s))
}

// connectsAs tries, as an account of an install, to connect to a listener of this
// process on the loopback, to send to it and to listen. All must fail; that they
// could succeed is shown by this process's own. Only the newer protocol may be
// absent from a machine.
func connectsAs(install, account, password string) (bool, error) {
	s, port, err := listen()
	if err != nil {
		return false, fmt.Errorf("listen for the test of the network: %w", err)
	}
	defer windows.Closesocket(s)
	if err := errors.Join(dial(port), send(port)); err != nil {
		return false, fmt.Errorf("the test of the network shows nothing, not even this process can connect: %w", err)
	}
	return connectAs(install, account, password, strconv.Itoa(port))
}

// connect is the role of a process of the account that tries what must not be
// with the port that it reads.
func connect(in io.Reader) int {
	text, err := io.ReadAll(io.LimitReader(in, 100))
	if err != nil {
		return 1
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || windows.WSAStartup(0x202, &windows.WSAData{}) != nil {
		return 1
	}
	if dial(port) != nil && send(port) != nil && await() != nil {
		return statusRefused
	}
	return statusConnected
}

// connectAs starts the role "connect" as an account: of the copy of this program
// that setup made, since the account may not be able to read this one.
func connectAs(install, account, password, address string) (bool, error) {
	program, err := installedHelper(install)
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
	info, err := winapi.LogonProcess(account, password, program, `"`+program+`" connect`, system, [3]windows.Handle{in, 0, 0},
		windows.CREATE_UNICODE_ENVIRONMENT|windows.CREATE_NO_WINDOW)
	if err != nil {
		return false, logonFailed(account, err)
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
