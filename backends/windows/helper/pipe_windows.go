// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/windows"
)

// listenPipe makes a pipe that only its maker and administrators can open, once.
func listenPipe(name, owner string) (windows.Handle, error) {
	sd, err := windows.SecurityDescriptorFromString("D:P(A;;GA;;;" + owner + ")(A;;GA;;;BA)")
	if err != nil {
		return 0, err
	}
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	const flags = windows.PIPE_ACCESS_DUPLEX | windows.FILE_FLAG_FIRST_PIPE_INSTANCE
	const mode = windows.PIPE_TYPE_BYTE | windows.PIPE_REJECT_REMOTE_CLIENTS
	return windows.CreateNamedPipe(n, flags, mode, 1, 64<<10, 64<<10, 0, securityOf(sd))
}

// overPipe is the elevated part that was started by the system's question: it
// opens the caller's pipe and wants the caller to be who the setup is for.
func overPipe(role, name string) error {
	if !strings.HasPrefix(name, `\\.\pipe\caisson-setup-`) {
		return errors.New("no pipe of caisson's")
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxRequest)).ReadBytes('\n')
	if err != nil {
		return err
	}
	var r Request
	if err := json.Unmarshal(line, &r); err != nil { // read strictly later
		return err
	}
	var server uint32
	if err := windows.GetNamedPipeServerProcessId(windows.Handle(f.Fd()), &server); err != nil {
		return err
	}
	if owner, err := userOf(server); err != nil || owner != r.Setup.Owner {
		return errors.Join(err, fmt.Errorf("the request is for %s and comes from %s", r.Setup.Owner, owner))
	}
	if err := elevated(role, bytes.NewReader(line), f); err != nil {
		fmt.Fprintln(f, err)
		return err
	}
	return nil
}

// userOf gives the SID of whom a process runs as.
func userOf(pid uint32) (string, error) {
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(p)
	var token windows.Token
	if err := windows.OpenProcessToken(p, windows.TOKEN_QUERY, &token); err != nil {
		return "", err
	}
	defer token.Close()
	u, err := token.GetTokenUser()
	if err != nil {
		return "", err
	}
	return u.User.Sid.String(), nil
}

func securityOf(sd *windows.SECURITY_DESCRIPTOR) *windows.SecurityAttributes {
	return &windows.SecurityAttributes{Length: sizeOfSecurityAttributes, SecurityDescriptor: sd}
}

// sizeOfSecurityAttributes is the size of SECURITY_ATTRIBUTES on 64-bit systems.
const sizeOfSecurityAttributes = 24
