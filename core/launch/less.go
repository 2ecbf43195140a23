// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Less is what one command may do less than its sandbox, in absolute paths as
// seen inside. It holds for what the command starts too. The zero value takes
// nothing away.
type Less struct {
	ReadOnly []string // what the plan mounts for writing and this command may not write
	Protect  []string // what is there and may not be changed, nor what is below it
	Hide     []string // what is there and may be neither read nor listed
}

// maxLess bounds the paths of one command.
const maxLess = 256

func (l Less) none() bool { return len(l.ReadOnly)+len(l.Protect)+len(l.Hide) == 0 }

// simplified leaves out what something else covers: what lies in a hidden
// directory cannot be reached, let alone written.
func (l Less) simplified() Less {
	var out Less
	for _, name := range l.Hide {
		if !below(l.Hide, name) && !slices.Contains(out.Hide, name) {
			out.Hide = append(out.Hide, name)
		}
	}
	seen := func(list []string) (kept []string) {
		for _, name := range list {
			if !below(out.Hide, name) && !slices.Contains(out.Hide, name) && !slices.Contains(kept, name) {
				kept = append(kept, name)
			}
		}
		return kept
	}
	out.ReadOnly, out.Protect = seen(l.ReadOnly), seen(l.Protect)
	return out
}

// below reports whether a path lies below one of the list.
func below(list []string, name string) bool {
	return slices.ContainsFunc(list, func(above string) bool { return strings.HasPrefix(name, above+"/") })
}

// lessUnsupported refuses to start a command with less than its sandbox where
// that cannot be held.
func lessUnsupported() error {
	return diag.New(diag.ModeUnsupported, "this backend cannot give one command less than its sandbox", "open a sandbox of its own with the stricter policy")
}

// lessInvalid refuses a path that cannot be held for one command.
func lessInvalid(name, why string) error {
	return diag.New(diag.LessInvalid, fmt.Sprintf("%s cannot be protected or hidden for one command: %s", diag.Quote(name), why),
		"name what is there by its real path, or open a sandbox of its own with the stricter policy")
}
