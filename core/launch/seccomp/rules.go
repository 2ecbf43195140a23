// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// rule is a rule of the plan in the terms of a filter: the value to return
// where all comparisons hold. A rule that cannot hold is never.
type rule struct {
	when   []half
	result uint32
	never  bool
}

// half is one or both 32-bit halves of a condition on an argument.
type half struct {
	parts  []part // low half first; those that always agree are left out
	differ bool   // holds where some part differs, else where all agree
}

// part compares (word & mask) with value.
type part struct{ offset, mask, value uint32 }

func simplify(in []plan.SeccompRule) ([]rule, error) {
	out := make([]rule, len(in))
	for i, r := range in {
		result, err := resultOf(r)
		if err != nil {
			return nil, fmt.Errorf("seccomp: rule %d: %w", i, err)
		}
		out[i].result = result
		for _, c := range r.When {
			h, err := halves(c)
			if err != nil {
				return nil, fmt.Errorf("seccomp: rule %d: %w", i, err)
			}
			possible := c.Value&^c.Mask == 0 // else the two can never be equal
			switch {
			case possible && len(h.parts) > 0:
				out[i].when = append(out[i].when, h)
			case possible == h.differ: // no mask and "!=", or impossible and "=="
				out[i].never = true
			}
		}
	}
	return out, nil
}

func halves(c plan.SeccompCondition) (half, error) {
	if c.Arg < 0 || c.Arg > 5 {
		return half{}, fmt.Errorf("no argument %d", c.Arg)
	}
	if c.Op != "==" && c.Op != "!=" {
		return half{}, fmt.Errorf("unknown comparison %q", c.Op)
	}
	h := half{differ: c.Op == "!="}
	at := uint32(offsetArgs + 8*c.Arg)
	if low := uint32(c.Mask); low != 0 {
		h.parts = append(h.parts, part{at, low, uint32(c.Value)})
	}
	if high := uint32(c.Mask >> 32); high != 0 {
		h.parts = append(h.parts, part{at + 4, high, uint32(c.Value >> 32)})
	}
	return h, nil
}

func resultOf(r plan.SeccompRule) (uint32, error) {
	switch r.Action {
	case "kill":
		return retKill, nil
	case "notify", "observe": // which one is the supervisor's to know
		return retNotify, nil
	case "errno":
		n, ok := errnos[r.Errno]
		if !ok {
			return 0, fmt.Errorf("unknown errno %q", r.Errno)
		}
		return retErrno | n, nil
	}
	return 0, fmt.Errorf("unknown action %q", r.Action)
}

// errnos are the errors that a rule may give, with their numbers on amd64 and
// arm64. Go's own constants are those of the system that this runs on.
var errnos = map[string]uint32{
	"EPERM": 1, "ENOENT": 2, "EIO": 5, "EACCES": 13, "EBUSY": 16, "EINVAL": 22, "ENOTTY": 25, "ENOSYS": 38,
	"ENOPROTOOPT": 92, "EPROTONOSUPPORT": 93, "ESOCKTNOSUPPORT": 94, "EOPNOTSUPP": 95, "EAFNOSUPPORT": 97,
}

// KnownErrno reports whether a rule may give the error of that name.
func KnownErrno(name string) bool { _, ok := errnos[name]; return ok }
