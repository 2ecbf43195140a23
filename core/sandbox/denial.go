// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Denial is something that was tried inside and that the policy refuses. What
// it says comes from the command, but for Rule, Layer and Grant: Target is
// bounded and holds no character that could drive a terminal.
type Denial struct {
	// Source is who saw it: "broker" and "proxy" refused it themselves, "watch"
	// undid it, "trace" saw it asked for and knows from the policy, by the same
	// function as Explain, that the kernel refuses it. A trace is no proof: what
	// was asked for may have been changed before the kernel looked.
	Source    string `json:"source"`
	Operation string `json:"operation"` // "read", "write", "create", "connect", …
	Target    string `json:"target"`    // a path, "unix:PATH", "net:HOST:PORT", or "net:" with what no host could be read from
	// Escaped says that Target stands for other text: it had characters that
	// cannot be shown, or was too long.
	Escaped bool           `json:"escaped,omitempty"`
	Count   int            `json:"count"` // how often it was tried
	Rule    policy.RuleRef `json:"rule"`
	Layer   string         `json:"layer"` // of the rule, as LayerKind.String
	Remedy  string         `json:"remedy"`
	Grant   *diag.Grant    `json:"grant"` // nil: no grant helps, Remedy says why
}

// String says it in one line.
func (d Denial) String() string {
	s := "denied: " + d.Operation + " " + diag.Quote(d.Target)
	if d.Count > 1 {
		s += fmt.Sprintf(" (%d times)", d.Count)
	}
	return s
}

// Bounds of what is kept of denials: a command can make any number of them,
// with names of any length.
const (
	maxDenials = 256  // that differ, for one command
	maxTarget  = 1024 // bytes of a target
)

// denials collects what was denied to one command, or by the sandbox.
type denials struct {
	report func(Denial) // nil: nobody asks

	mu      sync.Mutex
	list    []Denial
	at      map[string]int // index in list, by key
	more    int            // denials beyond the bound
	running int            // commands that share it
	old     bool           // what is kept is of commands that ended
}

func newDenials(report func(Denial)) *denials {
	return &denials{report: report, at: map[string]int{}}
}

// begin is told of each command that shares the denials. Where none runs, what
// was denied to earlier ones is forgotten: it is not the next one's.
func (d *denials) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.old {
		d.list, d.more, d.old = nil, 0, false
		clear(d.at)
	}
	d.running++
}

// end is told of the end of each.
func (d *denials) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	d.old = d.running == 0
}

func denialKey(source, operation, target string) string {
	return source + "\x00" + operation + "\x00" + target
}

// again counts a denial that is known already, or one too many, and reports
// whether it was one of these. Target is the text as it was asked for.
func (d *denials) again(source, operation, target string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok := d.at[denialKey(source, operation, target)]; ok {
		d.list[i].Count++
		return true
	}
	if len(d.list) >= maxDenials {
		d.more++
		return true
	}
	return false
}

// add keeps a new denial. Target is the key that again is asked with.
func (d *denials) add(target string, one Denial) {
	if d.again(one.Source, one.Operation, target) {
		return
	}
	one.Count = 1
	one.clean()
	d.mu.Lock()
	if len(d.list) < maxDenials {
		d.at[denialKey(one.Source, one.Operation, target)] = len(d.list)
		d.list = append(d.list, one)
	}
	d.mu.Unlock()
	if d.report != nil {
		d.report(one)
	}
}

// all returns what was collected, and how many were not kept.
func (d *denials) all() ([]Denial, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.list), d.more
}

// clean makes a denial safe to print. A grant for what cannot be written as it
// is would be one for something else.
func (d *Denial) clean() {
	var changed bool
	if d.Target, changed = showable(d.Target); changed {
		d.Escaped = true
	}
	d.Rule.Path, _ = showable(d.Rule.Path)
	d.Remedy, _ = showable(d.Remedy)
	if d.Grant != nil {
		if _, changed := showable(d.Grant.Value); changed {
			d.Grant, d.Remedy = nil, "its name cannot be written in a flag or a policy as it is"
		}
	}
}

// showable escapes what could drive a terminal or hide its meaning, and cuts
// what is too long; changed says that the text is not what it was.
func showable(s string) (text string, changed bool) {
	if len(s) <= maxTarget && diag.Plain(s) {
		return s, false
	}
	text = diag.Escape(s[:min(len(s), maxTarget)])
	if len(s) <= maxTarget && len(text) <= maxTarget {
		return text, true
	}
	return strings.ToValidUTF8(text[:min(len(text), maxTarget)], "") + "…", true
}
