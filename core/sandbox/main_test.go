// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sandbox_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// TestMain keeps caisson's state of the tests apart from that of the user. An
// example cannot skip itself: where this host cannot uphold the standard
// contract, all are skipped here.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	state, err := os.MkdirTemp("", "caisson-test-")
	if err == nil {
		err = os.Setenv("XDG_STATE_HOME", state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(state)
	work, err := os.MkdirTemp("", "caisson-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(work)
	if _, err := sandbox.Prepare(context.Background(), policy.Standard(work), nil); err != nil {
		fmt.Fprintln(os.Stderr, "the examples are skipped:", err)
		if err := flag.Set("test.skip", "^Example"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}
