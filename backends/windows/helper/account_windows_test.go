// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
	"github.com/caisson-sandbox/caisson/core/diag"
)

// TestAdmitted: two sandboxes admit their accounts to one object and take that
// back in either order. Each leaves the other's entry, and none leaves its own.
func TestAdmitted(t *testing.T) {
	for _, first := range []int{0, 1} {
		sd, err := windows.SecurityDescriptorFromString("D:(A;;GA;;;WD)")
		if err != nil {
			t.Fatal(err)
		}
		event, err := windows.CreateEvent(securityOf(sd), 1, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		list := func() []byte {
			s, err := winapi.ObjectSecurity(event, windows.SE_KERNEL_OBJECT)
			if err != nil {
				t.Fatal(err)
			}
			return s.List
		}
		before := list()
		var both [2]grantedObject
		for i, sid := range []string{"S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1002"} {
			both[i] = grantedObject{handle: event, kind: windows.SE_KERNEL_OBJECT, entry: entryFor(sid, windows.SYNCHRONIZE)}
			for range 2 { // a run that was killed left one
				if err := both[i].add(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(list()) <= len(before) {
			t.Fatal("nothing was added, so the test shows nothing")
		}
		if err := takeBack(both[first : first+1]); err != nil {
			t.Fatal(err)
		}
		one := list()
		if err := both[1-first].add(); err != nil { // is there, so nothing happens
			t.Fatal(err)
		}
		if !slices.Equal(one, list()) || slices.Equal(one, before) {
			t.Error("the other sandbox has lost its entry")
		}
		if err := takeBack(both[1-first : 2-first]); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(list(), before) {
			t.Error("an entry is left")
		}
		if err := windows.CloseHandle(event); err != nil {
			t.Error(err)
		}
	}
}

// TestEndAccount ends a process of this account and keeps the others; it keeps
// this one and the host of its console by itself.
func TestEndAccount(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := directory(t)
	p, err := os.StartProcess(self, []string{self}, &os.ProcAttr{Env: append(os.Environ(), "CAISSON_TEST_KILL="+dir), Files: []*os.File{nil, nil, nil}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := p.Wait(); ended <- err }()
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	sid := user.User.Sid.String()
	kept := false
	keep := func(e windows.ProcessEntry32) bool {
		kept = kept || itself(e)
		return itself(e) || e.ProcessID != uint32(p.Pid)
	}
	if n, err := endProcesses("S-1-5-21-1-2-3-1001", keep); n > 0 || err != nil {
		t.Errorf("of another account: %d, %v", n, err)
	}
	select {
	case err := <-ended:
		t.Fatalf("it ended by itself: %v", err)
	default:
	}
	if err := endAccount(sid, keep); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("it still runs")
	}
	if !kept {
		t.Error("this process is not in the list, so the test shows nothing")
	}
}

// TestConnect: where nothing filters, the test of the network says so, of every
// way that it tries.
func TestConnect(t *testing.T) {
	s, port, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer windows.Closesocket(s)
	for name, try := range map[string]error{"connect": dial(loopback(port)), "send": send(port), "listen": await()} {
		if try != nil {
			t.Errorf("%s: %v", name, try)
		}
	}
	if got := connect(strings.NewReader(strconv.Itoa(port))); got != statusConnected {
		t.Errorf("the role says %d", got)
	}
	if got := connect(strings.NewReader("x")); got == statusConnected || got == statusRefused || got == statusReached {
		t.Errorf("no port is taken for an answer: %d", got)
	}
}

// TestConnectToOwnPort: of the port that filters are to leave each way that must
// not be open is noticed by itself where nothing filters.
func TestConnectToOwnPort(t *testing.T) {
	s, own, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer windows.Closesocket(s)
	for name, at := range map[string]windows.Sockaddr{"another address": otherLoopback(own), "the newer protocol": newerLoopback(own)} {
		if dial(at) == nil {
			t.Errorf("%s: somebody listens, so the test shows nothing", name)
		}
		s, err := listenAt(at)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := dial(at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := windows.Closesocket(s); err != nil {
			t.Error(err)
		}
	}
	other, port, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer windows.Closesocket(other)
	if got := connect(strings.NewReader(tries{other: port, own: own}.String())); got != statusConnected {
		t.Errorf("the role says %d", got)
	}
}

// TestPortIsOnes: a port that a process listens at is nobody else's, whatever the
// other asks for, and free once it is given up.
func TestPortIsOnes(t *testing.T) {
	s, port, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	if portFree(port) {
		t.Error("a port that is taken is called free")
	}
	thief, err := tcp(loopback(port))
	if err != nil {
		t.Fatal(err)
	}
	err = windows.SetsockoptInt(thief, windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
	if err == nil && windows.Bind(thief, loopback(port)) == nil {
		t.Error("another socket has the port beside this one")
	}
	if err := errors.Join(err, windows.Closesocket(thief), windows.Closesocket(s)); err != nil {
		t.Fatal(err)
	}
	if !portFree(port) {
		t.Error("a port that was given up is called taken")
	}
}

// TestLogonFailures: what keeps an account from logging on is said, with what
// helps, and not as a number.
func TestLogonFailures(t *testing.T) {
	for code, want := range map[error]string{
		windows.ERROR_LOGON_FAILURE: "password", windows.ERROR_PASSWORD_EXPIRED: "expired", windows.ERROR_ACCOUNT_EXPIRED: "has expired", windows.ERROR_PASSWORD_MUST_CHANGE: "changed",
		windows.ERROR_ACCOUNT_DISABLED: "disabled", windows.ERROR_ACCOUNT_LOCKED_OUT: "locked out", windows.ERROR_ACCOUNT_RESTRICTION: "policy",
		windows.ERROR_LOGON_TYPE_NOT_GRANTED: "log on locally", windows.ERROR_SERVICE_DISABLED: "Secondary Logon", windows.ERROR_ACCESS_DENIED: "session",
		windows.ERROR_NO_SUCH_LOGON_SESSION: "logon session",
	} {
		err := logonFailed("caisson-a1b2c3d-off0", fmt.Errorf("start it: %w", code))
		d, ok := errors.AsType[*diag.Diagnostic](err)
		if !ok || d.Remedy == "" || !strings.Contains(d.Message, want) {
			t.Errorf("%v: %v, want %q and a remedy", code, err, want)
		}
	}
	if err := logonFailed("x", windows.ERROR_INVALID_PARAMETER); !errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
		t.Errorf("another failure: %v", err)
	}
	for _, code := range []error{windows.ERROR_CANT_ACCESS_FILE, windows.ERROR_NO_SUCH_LOGON_SESSION, windows.ERROR_ACCESS_DENIED, windows.ERROR_ELEVATION_REQUIRED} {
		if d, ok := errors.AsType[*diag.Diagnostic](notStarted(`C:\x.exe`, code)); !ok || d.Code != diag.CommandNotExec {
			t.Errorf("a program, %v: %v", code, d)
		}
	}
}
