// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"testing"

	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(fakeVariable); path != "" {
		os.Exit(playInside(path, os.Args))
	}
	Main(sandbox.Backends()...)
	// What started the test may have left descriptors of its own open; a sandbox
	// that lets high ones through would show them, here and not elsewhere.
	closeDescriptors(1023, false)
	os.Exit(m.Run())
}
