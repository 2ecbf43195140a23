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
	os.Exit(m.Run())
}
