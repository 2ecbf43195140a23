// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
)

const (
	meansDenials = "Neither a person nor an agent learns what was denied, and so what would have to be allowed."
	meansNoise   = "Who reads the report allows what was never in the way."
	meansForged  = "A command speaks to whoever reads the report: it moves the cursor, forges lines, fills the disk."
)

// manyDenials is more than a report needs, and fewer than it costs to hold all.
const manyDenials = 2000

func denialCases() []Case {
	denial := func(id, title, means string, run func(*T)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.DenialsReported, Clause: string(guarantee.DenialsReported),
			Requirement: Must, Meaning: means, run: func(t *T) {
				t.Spec.Policy = func(p policy.Policy) policy.Policy {
					p.Require = append(p.Require, guarantee.DenialsReported)
					return p
				}
				run(t)
			}}
	}
	return []Case{
		denial("denial-01", "a denied write is reported", meansDenials, func(t *T) {
			path := t.Out("denied")
			t.Do(act.Request{Op: "write", Path: path, Data: "x"})
			t.Harm(!reported(t.denied(), path), "no denial names %s", path)
		}),
		denial("denial-02", "a denied read is reported", meansDenials, func(t *T) {
			path := t.File(t.Out("hidden", "key"), "secret")
			t.Spec.Hide = []string{t.Out("hidden")}
			t.Do(act.Request{Op: "read", Path: path})
			t.Harm(!reported(t.denied(), path), "no denial names %s", path)
		}),
		denial("denial-03", "a refused connect is reported", meansDenials, func(t *T) {
			path := t.Socket(t.Out("s"))
			t.listen("unix", path)
			t.Do(act.Request{Op: "dial", Net: "unix", Addr: path, Data: "hello"})
			t.Harm(!reported(t.denied(), path), "no denial names %s", path)
		}),
		denial("denial-04", "a denied change of what is there is reported", meansDenials, func(t *T) {
			path := t.File(t.Out("old"), "kept")
			t.Do(act.Request{Op: "remove", Path: path})
			t.Harm(!reported(t.denied(), path), "no denial names %s", path)
		}),
		denial("denial-05", "what is allowed is not reported", meansNoise, func(t *T) {
			allowed, denied := t.In("allowed"), t.Out("denied")
			t.Do(act.Request{Op: "write", Path: allowed, Data: "x"})
			t.Do(act.Request{Op: "write", Path: denied, Data: "x"})
			list := t.denied()
			t.Harm(!reported(list, denied) || reported(list, allowed), "reported: %q", list)
		}),
		denial("denial-06", "names cannot drive a terminal or forge lines", meansForged, func(t *T) {
			path := t.Out("a\x1b[2J\x07\ndenied: everything\u202e")
			t.Do(act.Request{Op: "write", Path: path, Data: "x"})
			list := t.denied()
			raw := slices.ContainsFunc(list, func(d string) bool {
				return !utf8.ValidString(d) || strings.IndexFunc(d, func(r rune) bool { return unicode.Is(unicode.C, r) }) >= 0
			})
			t.Harm(raw || !reported(list, t.Out("a")), "reported: %q", list)
		}),
		denial("denial-07", "any number of denials makes a report of bounded size", meansForged, func(t *T) {
			var then []act.Request
			for i := range manyDenials {
				then = append(then, act.Request{Op: "write", Path: t.Out(fmt.Sprint("denied-", i)), Data: "x"})
			}
			t.Do(act.Request{Op: "child", Then: then})
			list := t.denied()
			t.Harm(len(list) == 0 || len(list) >= manyDenials, "%d denials reported of %d", len(list), manyDenials)
		}),
	}
}

// denied ends the command and returns what was denied to it.
func (t *T) denied() []string { return t.helper.Wait().Denied }

func reported(list []string, path string) bool {
	return slices.ContainsFunc(list, func(d string) bool { return strings.Contains(d, path) })
}
