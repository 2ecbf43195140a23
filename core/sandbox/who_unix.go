// SPDX-License-Identifier: Apache-2.0

//go:build unix

package sandbox

import (
	"os"
	"strconv"

	"github.com/caisson-sandbox/caisson/core/internal/passwd"
)

// whoami returns the id of the user of this process, and the name that passwd(5)
// has for it, "" for none.
func whoami() (id, name string) {
	text, _ := os.ReadFile("/etc/passwd")
	name, _ = passwd.Find(string(text), os.Getuid())
	return strconv.Itoa(os.Getuid()), name
}
