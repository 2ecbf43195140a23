// SPDX-License-Identifier: Apache-2.0

package hosting

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/plugins/registry"
	"github.com/caisson-sandbox/caisson/plugins/sdk"
)

const example = "example/one"

// TestMain makes this binary the plugin of the tests: one gets neither
// arguments nor variables, so its name says so.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "caisson-backend-example" || name == "caisson-backend-example.exe" {
		sdk.Serve(&fake.Backend{Answer: backend.Info{Name: example, Version: "1", OS: []string{runtime.GOOS}}})
	}
	os.Exit(m.Run())
}

func code(err error) diag.Code {
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		return d.Code
	}
	return ""
}

// TestStart: what the command line gets is a backend that runs, or nothing and
// a refusal: a nil pointer in its place would pass for a backend.
func TestStart(t *testing.T) {
	t.Parallel()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("this program cannot be copied here: ", err)
	}
	file := filepath.Join(t.TempDir(), "caisson-backend-example")
	if err := os.WriteFile(file, self, 0o755); err != nil {
		t.Fatal(err)
	}
	places := registry.Registry{StateDir: t.TempDir()}
	found, err := places.At(file)
	if err != nil {
		t.Fatal(err)
	}
	h := New()
	if b, err := h.Start(t.Context(), found, nil, nil); b != nil || code(err) != diag.PluginUntrusted {
		t.Errorf("before it is trusted: %v, %v", b, err)
	}
	if found, err = places.Trust(found, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if b, err := h.Start(t.Context(), found, nil, []string{example}); b != nil || code(err) != diag.PlanInvalid {
		t.Errorf("with a reserved name: %v, %v", b, err)
	}
	b, err := h.Start(t.Context(), found, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if i := b.Info(); i.Name != example || !slices.Contains(i.OS, runtime.GOOS) {
		t.Errorf("%+v", i)
	}
	if _, err := b.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Probe(t.Context()); err == nil {
		t.Error("it answers after its end")
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	if b, err := New().Attach(t.Context(), filepath.Join(t.TempDir(), "none.json"), nil); b != nil || code(err) != diag.PluginUnsafe {
		t.Errorf("%v, %v", b, err)
	}
}
