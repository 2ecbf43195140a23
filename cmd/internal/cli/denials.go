// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net"
	"strconv"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// denied prints what is denied as it happens, with -v.
func (j *job) denied(d sandbox.Denial) {
	if j.flags.verbose && !j.flags.quiet {
		j.say(denialLine(d))
	}
}

// decided keeps what went wrong with a host that the policy allows: clients show
// no more of it than a status.
func (j *job) decided(d egress.Decision) {
	if d.Verdict == egress.Failed {
		j.failed.Store(&d)
	}
}

func denialLine(d sandbox.Denial) string {
	line := d.String()
	switch {
	case d.Grant != nil:
		if mark := d.Mark(); mark != "" {
			line += "; " + mark
		}
		line += "; allow it with " + d.Grant.Flags()
	case d.Remedy != "":
		line += "; " + d.Remedy
	}
	return line
}

// tellDenials says of a command that failed what was denied to it, in one line:
// the last of what a grant would allow, which is most likely what it failed for.
// Where nothing was, it is the last host that was allowed and out of reach.
func (j *job) tellDenials(o outcome.Outcome) {
	if j.flags.quiet || o.Exit.Code == 0 || o.Exit.TimedOut {
		return
	}
	if len(o.Denials) == 0 {
		if d := j.failed.Load(); d != nil {
			j.say("failed: connect " + net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) + ", which the policy allows: " + d.Reason)
		}
		return
	}
	last := o.Denials[len(o.Denials)-1]
	for _, d := range o.Denials {
		if d.Grant != nil {
			last = d
		}
	}
	line, all := denialLine(last), "-v prints them, --result has them"
	if j.session != "" {
		all = "--result has them"
		if last.Grant != nil {
			line += " in another session: the policy of one is fixed"
		}
	}
	if more := len(o.Denials) - 1 + o.DenialsMore; more > 0 {
		line += fmt.Sprintf(" (and %d more: %s)", more, all)
	}
	j.say(line)
}
