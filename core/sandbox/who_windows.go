// SPDX-License-Identifier: Apache-2.0

package sandbox

import "golang.org/x/sys/windows"

// whoami returns the SID of the user of this process, and its account's name.
func whoami() (id, name string) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", ""
	}
	id = user.User.Sid.String()
	account, domain, _, err := user.User.Sid.LookupAccount("")
	if err != nil {
		return id, ""
	}
	return id, domain + `\` + account
}
