// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// resultSchema is the version of the form of --result.
const resultSchema = 1

// outcome is the result of run and shell for machines.
type outcome struct {
	Schema       int               `json:"schema"`
	Caisson      string            `json:"caisson"`
	Backend      string            `json:"backend"`       // "" where none was chosen
	PolicyDigest string            `json:"policy_digest"` // "" where the policy was refused
	Claims       guarantee.Set     `json:"claims"`
	Weakened     []guarantee.ID    `json:"weakened"`
	Started      bool              `json:"started"`
	Exit         exit              `json:"exit"`
	ElapsedMS    int64             `json:"elapsed_ms"`
	Usage        usage             `json:"usage"`
	Denials      []sandbox.Denial  `json:"denials"` // null: not observed
	Diagnostics  []diag.Diagnostic `json:"diagnostics"`
	Reason       string            `json:"reason,omitempty"` // the text of --reason
}

// exit is how it ended. Code is the status that caisson exits with: the
// command's own only if it was started and neither Signal, TimedOut nor Limit
// says otherwise.
type exit struct {
	Code     int     `json:"code"`
	Signal   *int    `json:"signal"` // the number
	TimedOut bool    `json:"timed_out"`
	Limit    *string `json:"limit"`
}

type usage struct {
	UserMS   int64 `json:"user_ms"`
	SystemMS int64 `json:"system_ms"`
	MaxRSS   int64 `json:"max_rss"` // bytes
}

// report makes the result of an invocation; p is nil where the policy was
// refused, err is why nothing was started.
func (j *job) report(p *sandbox.Prepared, r sandbox.Result, code int, err error) outcome {
	out := outcome{
		Schema: resultSchema, Caisson: version(), Claims: guarantee.Set{}, Weakened: []guarantee.ID{},
		Started: r.Started, Exit: exit{Code: code, TimedOut: r.TimedOut},
		ElapsedMS:   r.Elapsed.Milliseconds(),
		Usage:       usage{r.UserTime.Milliseconds(), r.SystemTime.Milliseconds(), r.MaxRSS},
		Denials:     r.Denials,
		Diagnostics: append([]diag.Diagnostic{}, r.Diagnostics...),
		Reason:      j.reason,
	}
	if r.Signal != 0 {
		n := int(r.Signal)
		out.Exit.Signal = &n
	}
	if r.Limit != "" {
		out.Exit.Limit = &r.Limit
	}
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		out.Diagnostics = append(out.Diagnostics, *d)
	} else if err != nil {
		out.Diagnostics = append(out.Diagnostics, diag.Diagnostic{Code: diag.LaunchFailed, Message: err.Error()})
	}
	if p == nil {
		return out
	}
	if digest, err := p.Resolved.Digest(); err == nil {
		out.PolicyDigest = digest
	}
	if p.Plan != nil {
		out.Backend = p.Backend.Name
		if p.Plan.Claims != nil {
			out.Claims = p.Plan.Claims
		}
		out.Weakened = append(out.Weakened, p.Weakened()...)
	}
	return out
}

// resultFile is where the result goes. It is opened before the command is
// started, so that the command has no say in where it goes.
type resultFile struct {
	file     *os.File
	truncate bool
}

// openResult opens what --result names; it returns nil where there is none.
// Resolved is nil where the policy was refused: then the directories that the
// flags name stand for the writable roots.
func (j *job) openResult(resolved *policy.Resolved) (*resultFile, error) {
	if j.result == "" {
		return nil, nil
	}
	if text, ok := strings.CutPrefix(j.result, "fd:"); ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || !(n < 3 || isInherited(n)) {
			return nil, diag.New(diag.ResultInvalid, "--result "+diag.Quote(j.result)+": there is no such descriptor", "open it in the calling shell, as in 3>FILE")
		}
		return &resultFile{file: os.NewFile(uintptr(n), j.result)}, nil
	}
	file, err := openResultFile(j.result, func(path string, links []string) error {
		for _, link := range links {
			if root := j.writableRoot(resolved, link); root != "" {
				return fmt.Errorf("it leads through the link %s in %s, which the command may write", diag.Quote(link), diag.Quote(root))
			}
		}
		if root := j.writableRoot(resolved, path); root != "" {
			return fmt.Errorf("it lies in %s, which the command may write", diag.Quote(root))
		}
		return nil
	})
	if err != nil {
		return nil, diag.New(diag.ResultInvalid, "--result "+diag.Quote(j.result)+": "+err.Error(), "name a file outside every writable directory, or use --result fd:N")
	}
	return &resultFile{file, true}, nil
}

// writableRoot returns the writable root that holds a real path, or "".
func (j *job) writableRoot(resolved *policy.Resolved, path string) string {
	if resolved != nil {
		if access, rule := resolved.AccessTo(path); access == policy.Write {
			return rule.Path
		}
		for _, rule := range resolved.Rules() {
			if rule.Root && within(rule.Path, path) {
				return rule.Path
			}
		}
		return ""
	}
	for _, root := range j.flags.namedRoots() {
		if within(root, path) {
			return root
		}
	}
	return ""
}

// write writes the result in one piece and closes the file.
func (f *resultFile) write(r outcome) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("the result: %w", err)
	}
	if f.truncate {
		err = f.file.Truncate(0)
	}
	if err == nil {
		_, err = f.file.Write(append(diag.EscapeJSON(text), '\n'))
	}
	if closed := f.file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return diag.New(diag.ResultInvalid, "the result cannot be written: "+err.Error(), "")
	}
	return nil
}
