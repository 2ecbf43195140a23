// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestStartEndsWithContext: a command that stops every process it can see
// holds up neither the caller, who gives up by the context, nor Close.
func TestStartEndsWithContext(t *testing.T) {
	t.Parallel()
	ws := filepath.Join(t.TempDir(), "ws")
	if err := os.Mkdir(ws, 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, holdPlan(ws), Options{StateDir: t.TempDir()})
	stopper := begin(t, s, ws, "trap '' TERM; while :; do kill -STOP -1; done 2>/dev/null")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	gaveUp := 0
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		p, err := s.Start(ctx, Command{Path: "/bin/true", Args: []string{"true"}, Dir: ws, Files: []*os.File{null, null, null}})
		cancel()
		if err != nil {
			gaveUp++
		} else if err := p.Kill(); err != nil && err != os.ErrProcessDone {
			t.Error(err)
		}
	}
	t.Logf("%d of 20 starts were given up", gaveUp)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Close does not return")
	}
	stopper()
}
