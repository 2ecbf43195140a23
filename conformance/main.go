// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/conformance/internal/inside"
	"github.com/caisson-sandbox/caisson/core/backend"
)

// Main serves the helper where the suite started this executable as such, and
// does not return then. Otherwise it does nothing. It must be the first
// statement of TestMain or main, before flags are read.
//
// The backends are those that the suite is to judge in a process that it can
// kill (the death of a sandbox's owner); without them those cases are not
// applicable.
func Main(backends ...backend.Backend) {
	if role, ok := helperRole(os.Args); ok {
		if len(role) > 0 && role[0] == "own" {
			os.Exit(own(role[1:], backends))
		}
		os.Exit(inside.New(nil).Run(role))
	}
}

// helperRole reports whether a command line is that of the helper, and returns
// what follows the marker.
func helperRole(args []string) ([]string, bool) {
	if len(args) < 3 || args[1] != act.NoTests || args[2] != act.Marker {
		return nil, false
	}
	return args[3:], true
}
