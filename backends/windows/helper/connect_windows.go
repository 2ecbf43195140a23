// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// The addresses of the loopback that are tried: the one at which the proxy
// listens, another, and that of the newer protocol.
func loopback(port int) windows.Sockaddr {
	return &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}
}

func otherLoopback(port int) windows.Sockaddr {
	return &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 2}, Port: port}
}

func newerLoopback(port int) windows.Sockaddr {
	return &windows.SockaddrInet6{Addr: [16]byte{15: 1}, Port: port}
}

// tcp makes a socket for an address.
func tcp(at windows.Sockaddr) (windows.Handle, error) {
	family := windows.AF_INET
	if _, newer := at.(*windows.SockaddrInet6); newer {
		family = windows.AF_INET6
	}
	s, err := windows.Socket(family, windows.SOCK_STREAM, windows.IPPROTO_TCP)
	if err != nil {
		return 0, fmt.Errorf("make a socket: %w", err)
	}
	return s, nil
}

// soExclusiveAddrUse is SO_EXCLUSIVEADDRUSE of winsock2.h: no other socket is
// bound to the port beside this one, whatever it asks for.
const soExclusiveAddrUse = ^windows.SO_REUSEADDR

// listenAt makes a socket that listens at an address alone.
func listenAt(at windows.Sockaddr) (windows.Handle, error) {
	if err := windows.WSAStartup(0x202, &windows.WSAData{}); err != nil {
		return 0, fmt.Errorf("start the sockets: %w", err)
	}
	s, err := tcp(at)
	if err != nil {
		return 0, err
	}
	if err = windows.SetsockoptInt(s, windows.SOL_SOCKET, soExclusiveAddrUse, 1); err == nil {
		err = windows.Bind(s, at)
	}
	if err == nil {
		err = windows.Listen(s, 8)
	}
	if err != nil {
		return 0, errors.Join(err, windows.Closesocket(s))
	}
	return s, nil
}

// listen makes a socket that listens on the loopback, and gives its port.
func listen() (windows.Handle, int, error) {
	s, err := listenAt(loopback(0))
	if err != nil {
		return 0, 0, err
	}
	bound, err := windows.Getsockname(s)
	if in, ok := bound.(*windows.SockaddrInet4); err == nil && ok {
		return s, in.Port, nil
	}
	return 0, 0, errors.Join(errors.New("no port was bound"), err, windows.Closesocket(s))
}

// portFree reports whether nobody has a port of 127.0.0.1.
func portFree(port int) bool {
	s, err := listenAt(loopback(port))
	return err == nil && windows.Closesocket(s) == nil
}

// dial connects to an address.
func dial(to windows.Sockaddr) error {
	s, err := tcp(to)
	if err != nil {
		return err
	}
	err = windows.Connect(s, to)
	return errors.Join(err, windows.Closesocket(s))
}

// send sends a datagram to a port of the loopback, where nobody need listen.
func send(port int) error {
	s, err := windows.Socket(windows.AF_INET, windows.SOCK_DGRAM, windows.IPPROTO_UDP)
	if err != nil {
		return err
	}
	err = windows.Sendto(s, []byte{0}, 0, loopback(port))
	return errors.Join(err, windows.Closesocket(s))
}

// await listens on the loopback of the newer protocol, and gives that up again.
func await() error {
	s, err := tcp(newerLoopback(0))
	if err != nil {
		return err
	}
	return errors.Join(windows.Bind(s, newerLoopback(0)), windows.Listen(s, 1), windows.Closesocket(s))
}

// connectsAs tries, as an account of an install, to connect to a listener of this
// process on the loopback, to send to it and to listen. All must fail; that they
// could succeed is shown by this process's own. Of an account that its filters
// leave a port, that port of 127.0.0.1 must be reached, and neither the same of
// another address, nor of the newer protocol, nor by a datagram. Where the
// launcher does not listen at the port, this process does. Only the newer
// protocol may be absent from a machine.
func connectsAs(install, account, password string, own int) (Reached, error) {
	s, other, err := listen()
	if err != nil {
		return Reached{}, fmt.Errorf("listen for the test of the network: %w", err)
	}
	defer windows.Closesocket(s)
	control := []error{dial(loopback(other)), send(other)}
	if own != 0 {
		for _, at := range []windows.Sockaddr{loopback(own), otherLoopback(own), newerLoopback(own)} {
			if s, err := listenAt(at); err == nil { // else the control says where nobody listens
				defer windows.Closesocket(s)
				control = append(control, dial(at))
			}
		}
		control = append(control, dial(loopback(own)), dial(otherLoopback(own)), send(own))
	}
	if err := errors.Join(control...); err != nil {
		return Reached{}, fmt.Errorf("the test of the network shows nothing, not even this process can connect: %w", err)
	}
	return connectAs(install, account, password, tries{other: other, own: own})
}

// connect is the role of a process of the account that tries what it reads.
func connect(in io.Reader) int {
	text, err := io.ReadAll(io.LimitReader(in, 100))
	if err != nil {
		return 1
	}
	t, err := parseTries(string(text))
	if err != nil || windows.WSAStartup(0x202, &windows.WSAData{}) != nil {
		return 1
	}
	more := dial(loopback(t.other)) == nil || send(t.other) == nil || await() == nil
	if t.own == 0 {
		return t.status(more, false)
	}
	more = more || dial(otherLoopback(t.own)) == nil || dial(newerLoopback(t.own)) == nil || send(t.own) == nil
	return t.status(more, dial(loopback(t.own)) == nil)
}

// connectAs starts the role "connect" as an account: of the copy of this program
// that setup made, since the account may not be able to read this one.
func connectAs(install, account, password string, t tries) (Reached, error) {
	program, err := installedHelper(install)
	if err != nil {
		return Reached{}, err
	}
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return Reached{}, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return Reached{}, err
	}
	defer r.Close()
	defer w.Close()
	in := windows.Handle(r.Fd())
	if err := windows.SetHandleInformation(in, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		return Reached{}, err
	}
	info, err := winapi.LogonProcess(account, password, program, `"`+program+`" connect`, system, [3]windows.Handle{in, 0, 0},
		windows.CREATE_UNICODE_ENVIRONMENT|windows.CREATE_NO_WINDOW)
	if err != nil {
		return Reached{}, logonFailed(account, err)
	}
	defer windows.CloseHandle(info.Thread)
	defer windows.CloseHandle(info.Process)
	if _, err := w.WriteString(t.String()); err != nil {
		return Reached{}, err
	}
	if err := w.Close(); err != nil {
		return Reached{}, err
	}
	const patience = 10_000 // milliseconds
	if event, err := windows.WaitForSingleObject(info.Process, patience); err != nil || event != windows.WAIT_OBJECT_0 {
		return Reached{}, errors.Join(err, errors.New("the test of the network does not end"), windows.TerminateProcess(info.Process, 1))
	}
	var code uint32
	if err := windows.GetExitCodeProcess(info.Process, &code); err != nil {
		return Reached{}, err
	}
	return readStatus(code)
}
