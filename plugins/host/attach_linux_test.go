// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/plugins/sdk"
)

// TestAttach: a backend that its author runs is used twice, judged as any
// other, and goes on when the host is done with it.
func TestAttach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "debug.json")
	t.Setenv("PLUGIN_UNIX_SOCKET_DIR", "") // ServeDebug sets it, for this process
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- sdk.ServeDebug(ctx, good("debugged"), file) }()
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		select {
		case err := <-served:
			t.Fatalf("ServeDebug ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	for range 2 {
		p, err := Attach(t.Context(), file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		report, err := p.Probe(t.Context())
		if err != nil || !reflect.DeepEqual(report, good("debugged").Report) {
			t.Errorf("%+v, %v", report, err)
		}
		_, resolved := workspace(t)
		if _, err := p.Prepare(t.Context(), backend.Request{Policy: resolved, Facts: report.Facts}); code(err) != diag.PluginUnsafe {
			t.Errorf("its plan is not judged: %v", err)
		}
		p.Close()
	}
	if _, err := Attach(t.Context(), file, Options{Reserved: []string{"debugged"}}); code(err) != diag.PlanInvalid {
		t.Errorf("it bears a reserved name: %v", err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Attach(t.Context(), file, Options{}); code(err) != diag.PluginUnsafe || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("a file of others: %v", err)
	}
	stop()
	if err := <-served; err != context.Canceled {
		t.Errorf("ServeDebug: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file is left")
	}
	if _, err := Attach(t.Context(), file, Options{}); code(err) != diag.PluginUnsafe {
		t.Errorf("without a file: %v", err)
	}
}

// TestAttachFiles: a file that is none of ServeDebug's is refused.
func TestAttachFiles(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{}", `{"format":2}`, `{"format":1,"network":"tcp","address":"10.0.0.1:1","pid":1}`, `{"format":1,"network":"unix","address":"/no/such/socket","pid":1}`, `{"format":1,"more":1}`} {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := Attach(t.Context(), file, Options{}); code(err) != diag.PluginUnsafe {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	if _, err := Attach(t.Context(), t.TempDir(), Options{}); code(err) != diag.PluginUnsafe {
		t.Errorf("a directory: %v", err)
	}
}
