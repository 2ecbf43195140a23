// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
	"github.com/caisson-sandbox/caisson/conformance/report"
)

// TestWeaker: what a refusal names is given up, and nothing else; what is not
// refused runs once.
func TestWeaker(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ refuses, want string }{
		"refused":     {"1", "run -w DIR -- /bin/true\nrun -w DIR --allow-weaker a.b --allow-weaker c.d.e -- /bin/true\n"},
		"not refused": {"0", "run -w DIR -- /bin/true\n"},
	} {
		dir := t.TempDir()
		program, log := filepath.Join(dir, "caisson"), filepath.Join(dir, "log")
		script := `#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in *--allow-weaker*) exit 0;; esac
echo "caisson: refused: x; use --allow-weaker of something"
echo "caisson: go on without a.b: --allow-weaker a.b" >&2
echo "caisson: go on without c.d.e: --allow-weaker c.d.e" >&2
exit $REFUSES
`
		if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		// By the shell, since a child may have the script open for writing still.
		cmd := exec.Command("/bin/sh", "-c", weaker, "/bin/sh", program, "run", "-w", "DIR")
		cmd.Env = append(os.Environ(), "LOG="+log, "REFUSES="+c.refuses)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if got, err := os.ReadFile(log); err != nil || string(got) != c.want {
			t.Errorf("%s: it was run as %q, %v", name, got, err)
		}
	}
}

// TestResults: what a result says in the matrix, and what is wrong with it.
func TestResults(t *testing.T) {
	t.Parallel()
	const refusal = "caisson: refused: a.b cannot be upheld here: no c; use d\ncaisson: go on without a.b: --allow-weaker a.b\n"
	refused := wire.Outcome{Exit: 125, Stderr: refusal}
	held := &report.Report{Results: []report.Result{{ID: "x-01", Verdict: report.Pass}}}
	broken := &report.Report{Results: []report.Result{{ID: "x-01", Verdict: report.Fail, Why: "it was written"}}}
	for name, c := range map[string]struct {
		result
		says, complaint string
	}{
		"works":            {result{Report: held}, "works", ""},
		"refused":          {result{Run: refused, Report: held}, "refused: `refused: a.b cannot be upheld here: no c; use d`; works without `a.b`", ""},
		"no remedy":        {result{Run: wire.Outcome{Exit: 125, Stderr: "caisson: refused: no"}, Report: held}, "refused: `refused: no`", "without a remedy"},
		"never works":      {result{Run: refused, Weaker: wire.Outcome{Exit: 125}, Report: held}, "use d`", "ended with 125"},
		"a broken promise": {result{Report: broken}, "works", "fail x-01: it was written"},
		"no backend":       {result{Run: refused, Weaker: wire.Outcome{Exit: 125}}, "use d`", ""},
		"nothing confines": {result{}, "works", "a run was not refused"},
		"limits skipped":   {result{Report: held, Limits: &wire.Outcome{Stdout: "--- SKIP: TestLimitMemory"}}, "works", "the tests of limits"},
	} {
		if got := standard(c.result); !strings.HasPrefix(got, c.says) && !strings.HasSuffix(got, c.says) {
			t.Errorf("%s: %q", name, got)
		}
		err := c.result.complaint()
		if (err == nil) != (c.complaint == "") || err != nil && !strings.Contains(err.Error(), c.complaint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
