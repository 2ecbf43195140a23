// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// TestBuiltIn judges the built-in backends of this system.
func TestBuiltIn(t *testing.T) {
	for _, b := range sandbox.Backends() {
		t.Run(b.Info().Name, func(t *testing.T) {
			if r, err := b.Probe(t.Context()); err != nil || !r.Usable {
				t.Skipf("SKIPPED: this host cannot use the backend: %v %v", err, r.Unmet)
			}
			conformance.Test(t, conformance.Config{Target: conformance.Backend(b)})
		})
	}
}

// TestForgottenMain runs a test whose TestMain lacks the line, and wants to be
// told that very line.
func TestForgottenMain(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "test", "-count=1", "./testdata/forgot").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "conformance.Main(); os.Exit(m.Run())") {
		t.Errorf("%v\n%s", err, out)
	}
}
