// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/caisson-sandbox/caisson/core/audit"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/outfile"
)

// maxAudited bounds the denials of one record, the decisions that allowed, and
// the other ones. As JSON a denial can be many times as long as what was tried,
// so all of a record have a bound in bytes as well: a record that is too long
// could not be written, and the command would have left none.
const (
	maxAudited      = 64
	maxAuditedBytes = audit.MaxLine / 2
)

// auditor notes the commands of a sandbox in the audit files of its policy. Nil
// notes nothing.
type auditor struct {
	logs   []*audit.Log
	common audit.Record // what all records of the sandbox have

	mu      sync.Mutex
	egress  []egress.Decision // since the last end
	more    int               // decisions that were repeated, or too many to keep
	pending int               // commands whose end is not noted
	closed  bool              // the sandbox is
}

// openAudit opens the audit files. That one cannot be written is a refusal: a
// policy that wants commands to be noted wants none that is not.
func (p *Prepared) openAudit() (*auditor, error) {
	files := p.Resolved.Audit()
	if len(files) == 0 {
		return nil, nil
	}
	a := &auditor{common: audit.Record{
		Caisson: ownVersion(), Backend: p.Backend.Name, Reason: audit.Text(p.options.Reason),
		Workspace: []string{}, Claims: []string{}, Weakened: []string{},
	}}
	a.common.User = auditUser()
	digest, err := p.Resolved.Digest()
	if err != nil {
		return nil, err
	}
	a.common.PolicyDigest = digest
	for _, dir := range p.Resolved.Workspace() {
		a.common.Workspace = append(a.common.Workspace, audit.Text(dir))
	}
	for id := range p.Plan.Claims {
		a.common.Claims = append(a.common.Claims, string(id))
	}
	slices.Sort(a.common.Claims)
	for _, id := range p.Weakened() {
		a.common.Weakened = append(a.common.Weakened, string(id))
	}
	for _, file := range files {
		log, err := audit.Open(file, p.stateDir, func(path string) string { return outfile.WritableRoot(p.Resolved, path) })
		if err != nil {
			_ = a.close() // nothing ran
			return nil, auditError(file, err)
		}
		a.logs = append(a.logs, log)
	}
	return a, nil
}

func auditUser() audit.User {
	id, name := whoami()
	return audit.User{ID: id, Name: audit.Text(name)}
}

func auditError(file string, err error) error {
	return diag.New(diag.AuditFailed, fmt.Sprintf("the audit file %s: %v", diag.Quote(file), err),
		"nothing runs while it cannot be written: name another file, or repair this one; caisson audit verify looks at it")
}

// ownVersion is what the go command recorded when it built the program.
func ownVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// note appends a record to every file.
func (a *auditor) note(r audit.Record) error {
	r.Time = time.Now().UTC().Format(time.RFC3339Nano)
	for _, log := range a.logs {
		if err := log.Append(r); err != nil {
			return auditError(log.Path(), err)
		}
	}
	return nil
}

// start notes a command that is about to be executed, with what it has less than
// its sandbox, and returns its record.
func (a *auditor) start(args []string, less *audit.Less) (audit.Record, error) {
	if a == nil {
		return audit.Record{}, nil
	}
	a.mu.Lock()
	a.pending++
	a.mu.Unlock()
	r := a.common
	r.Event, r.Run, r.Command, r.Less = audit.Start, audit.Token(), audit.NewCommand(args), less
	err := a.note(r)
	if err != nil {
		a.done()
	}
	return r, err
}

// end notes how the command of a record ended.
func (a *auditor) end(r audit.Record, result Result) error {
	if a == nil {
		return nil
	}
	defer a.done()
	r.Event = audit.End
	r.Result = &audit.Result{
		Started: result.Started, Code: result.Code, Signal: int(result.Signal), TimedOut: result.TimedOut, Limit: result.Limit,
		ElapsedMS: result.Elapsed.Milliseconds(),
	}
	if list := result.Denials; list != nil {
		kept := audited(list)
		r.Denials, r.DenialsMore = kept, result.DenialsMore+len(list)-len(kept)
	}
	a.mu.Lock()
	a.take(&r)
	a.mu.Unlock()
	return a.note(r)
}

// audited returns the denials that a record has room for, the first ones.
func audited(list []Denial) []Denial {
	list = list[:min(len(list), maxAudited)]
	room := maxAuditedBytes
	for i, d := range list {
		text, err := json.Marshal(d)
		if room -= len(diag.EscapeJSON(text)) + len(","); err != nil || room < 0 {
			return list[:i]
		}
	}
	return list
}

// take moves the decisions that were kept into a record. The caller holds mu.
func (a *auditor) take(r *audit.Record) {
	if len(a.egress) > 0 {
		r.Egress, r.EgressMore = a.egress, a.more
	}
	a.egress, a.more = nil, 0
}

// decided keeps a decision of the proxy for the next record, once. What was
// allowed has a bound of its own: commands can ask for any number of hosts that
// are denied, and must not crowd out where they were let.
func (a *auditor) decided(d egress.Decision) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, k := range a.egress {
		if k.Verdict == d.Verdict && k.Protocol == d.Protocol && k.Host == d.Host && k.Port == d.Port && k.Address == d.Address {
			a.more++
			return
		}
		if (k.Verdict == egress.Allowed) == (d.Verdict == egress.Allowed) {
			n++
		}
	}
	if n >= maxAudited {
		a.more++
		return
	}
	a.egress = append(a.egress, d)
}

func (a *auditor) done() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending--; a.pending == 0 && a.closed {
		a.closeLogs()
	}
}

// close closes the files when the last end is noted. What is left of a command
// may have asked for hosts after its end, which the last record then says.
func (a *auditor) close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed = true; a.pending > 0 {
		return nil
	}
	defer a.closeLogs()
	if len(a.egress) == 0 {
		return nil
	}
	r := a.common
	r.Event = audit.Close
	a.take(&r)
	return a.note(r)
}

func (a *auditor) closeLogs() {
	for _, log := range a.logs {
		log.Close()
	}
	a.logs = nil
}
