// SPDX-License-Identifier: Apache-2.0

// Package forgot has a TestMain that does not serve the helper.
package forgot

import (
	"os"
	"testing"

	"github.com/caisson-sandbox/caisson/conformance"
)

func TestMain(m *testing.M) { os.Exit(m.Run()) }

func TestConformance(t *testing.T) {
	w, err := conformance.ParseWrap("env --")
	if err != nil {
		t.Fatal(err)
	}
	conformance.Test(t, conformance.Config{Target: w})
}
