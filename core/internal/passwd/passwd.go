// SPDX-License-Identifier: Apache-2.0

// Package passwd reads the text of passwd(5). Without cgo os/user asks nobody
// else either, at a higher cost; users of directory services are not in it.
package passwd

import (
	"strconv"
	"strings"
)

// Find returns the name and the home directory of a user in the text, "" and ""
// where it has no whole line for the id.
func Find(text string, uid int) (name, home string) {
	id := strconv.Itoa(uid)
	for line := range strings.Lines(text) {
		if fields := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(fields) == 7 && fields[2] == id {
			return fields[0], fields[5]
		}
	}
	return "", ""
}
