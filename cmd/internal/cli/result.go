// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/outfile"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// report makes the result of an invocation; p is nil where the policy was
// refused, err is why nothing was started.
func (j *job) report(p *sandbox.Prepared, r sandbox.Result, err error) outcome.Outcome {
	out := outcome.Base(p).Of(r, err)
	out.Reason = j.reason
	return out
}

// resultFile is where the result goes. It is opened before the command is
// started, so that the command has no say in where it goes, and emptied then, so
// that what an earlier invocation left is not taken for the result of one that
// was killed.
type resultFile struct{ file *os.File }

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
		return &resultFile{os.NewFile(uintptr(n), j.result)}, nil
	}
	file, err := outfile.Open(j.result, os.O_WRONLY, outfile.Outside(func(path string) string { return j.writableRoot(resolved, path) }))
	if err != nil {
		return nil, diag.New(diag.ResultInvalid, "--result "+diag.Quote(j.result)+": "+err.Error(), "name a file outside every writable directory, or use --result fd:N")
	}
	if err := file.Truncate(0); err != nil {
		file.Close()
		return nil, diag.New(diag.ResultInvalid, "--result "+diag.Quote(j.result)+" cannot be emptied: "+err.Error(), "name another file")
	}
	return &resultFile{file}, nil
}

// writableRoot returns the writable root that holds a real path, or "".
func (j *job) writableRoot(resolved *policy.Resolved, path string) string {
	if resolved != nil {
		return outfile.WritableRoot(resolved, path)
	}
	for _, root := range j.flags.namedRoots() {
		if within(root, path) {
			return root
		}
	}
	return ""
}

// write writes the result in one piece and closes the file.
func (f *resultFile) write(r outcome.Outcome) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("the result: %w", err)
	}
	_, err = f.file.Write(append(diag.EscapeJSON(text), '\n'))
	if closed := f.file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return diag.New(diag.ResultInvalid, "the result cannot be written: "+err.Error(), "")
	}
	return nil
}
