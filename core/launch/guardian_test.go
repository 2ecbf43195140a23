// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestGuardianOfDeadSandbox: a guardian that comes too late to see process 1,
// since a short sandbox is over by then, leaves the placeholders until the
// caller has looked for the last time.
func TestGuardianOfDeadSandbox(t *testing.T) {
	t.Parallel()
	ws, state := repository(t)
	held := filepath.Join(ws, ".absent")
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	var found findings
	h, err := holdAbsent(holdPlan(ws, plan.Hold{Path: held, Kind: "dir"}), state, found.add)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.bind(gone.Process.Pid); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if !exists(held) {
		t.Error("the placeholder is gone while the caller relies on it")
	}
	h.release()
	if exists(held) || records(t, state) != 0 || len(found.codes()) != 0 {
		t.Errorf("left: %v, %d records, %v", exists(held), records(t, state), found.codes())
	}
}
