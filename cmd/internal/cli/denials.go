// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// denied prints what is denied as it happens, with -v.
func (j *job) denied(d sandbox.Denial) {
	if j.flags.verbose && !j.flags.quiet {
		j.say(denialLine(d))
	}
}

func denialLine(d sandbox.Denial) string {
	line := d.String()
	switch {
	case d.Grant != nil:
		line += "; allow it with " + d.Grant.Flags()
	case d.Remedy != "":
		line += "; " + d.Remedy
	}
	return line
}

// tellDenials says of a command that failed what was denied to it, in one line:
// the last of what a grant would allow, which is most likely what it failed for.
func (j *job) tellDenials(r sandbox.Result) {
	if j.flags.quiet || len(r.Denials) == 0 || outcome.Status(r) == 0 || r.TimedOut {
		return
	}
	last := r.Denials[len(r.Denials)-1]
	for _, d := range r.Denials {
		if d.Grant != nil {
			last = d
		}
	}
	line := denialLine(last)
	if more := len(r.Denials) - 1 + r.DenialsMore; more > 0 {
		line += fmt.Sprintf(" (and %d more: -v prints them, --result has them)", more)
	}
	j.say(line)
}
