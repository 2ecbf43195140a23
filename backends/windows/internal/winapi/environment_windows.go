// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// supportDeny is PSE_SUPPORT_FS_DENY.
const supportDeny = 1

// HasSecurityEnvironments reports whether the system has the calls for
// sandboxes of its own. It says nothing about whether they do something.
func HasSecurityEnvironments() bool {
	return errors.Join(procCreateProcessSecurityEnvironment.Find(), procQueryProcessSecurityEnvironmentSupport.Find(),
		procCloseProcessSecurityEnvironment.Find()) == nil
}

// TrySecurityEnvironment has the system make a sandbox from a specification and
// gives it back. denies says whether it can deny paths.
func TrySecurityEnvironment(specification []byte) (denies bool, err error) {
	var flags uint64
	if code := QueryProcessSecurityEnvironmentSupport(&flags); failed(code) {
		return false, fmt.Errorf("QueryProcessSecurityEnvironmentSupport says 0x%08x", code)
	}
	var environment windows.Handle
	if code := CreateProcessSecurityEnvironment(&specification[0], uint32(len(specification)), 0, &environment); failed(code) {
		return false, fmt.Errorf("CreateProcessSecurityEnvironment says 0x%08x", code)
	}
	if environment == 0 {
		return false, errors.New("CreateProcessSecurityEnvironment gives nothing")
	}
	CloseProcessSecurityEnvironment(environment)
	return flags&supportDeny != 0, nil
}

// failed reports whether a HRESULT is a failure.
func failed(code uint32) bool { return code>>31 != 0 }
