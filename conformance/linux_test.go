// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"os"
	"testing"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func TestMain(m *testing.M) {
	conformance.Main(sandbox.Backends()...)
	os.Exit(m.Run())
}

func TestBuiltIn(t *testing.T) {
	for _, b := range sandbox.Backends() {
		t.Run(b.Info().Name, func(t *testing.T) {
			conformance.Test(t, conformance.Config{Target: conformance.Backend(b)})
		})
	}
}
