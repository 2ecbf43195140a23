// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
)

func TestPreferred(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c"}
	for preferred, want := range map[string][]string{"": names, "x": names, "a": names, "c": {"c", "a", "b"}} {
		if got := Preferred(names, preferred); !slices.Equal(got, want) {
			t.Errorf("%q: %q", preferred, got)
		}
	}
}

func TestSticky(t *testing.T) {
	t.Parallel()
	text := Remember(Remember(Remember("", `C:\a`, "off0"), `C:\b`, "off1"), `c:\A`, "off2")
	if text != "off2\tc:\\A\noff1\tC:\\b\n" {
		t.Errorf("%q", text)
	}
	for path, want := range map[string]string{`C:\A`: "off2", `C:\b`: "off1", `C:\c`: ""} {
		if got := Sticky(text, path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	for i := range 2 * mostSticky {
		text = Remember(text, fmt.Sprint(`C:\`, i), "x")
	}
	if n := strings.Count(text, "\n"); n != mostSticky {
		t.Errorf("%d workspaces are remembered", n)
	}
	if got := Sticky("no tab\n\n", "no tab"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestCapabilitySID(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{1}, 32)
	a := CapabilitySID(secret, `C:\ws`)
	if a != CapabilitySID(secret, `c:\WS`) || a == CapabilitySID(secret, `C:\ws2`) || a == CapabilitySID(bytes.Repeat([]byte{2}, 32), `C:\ws`) {
		t.Error(a)
	}
	if _, err := access.SID(a).Bytes(); err != nil {
		t.Error(err)
	}
}

// TestSecret: processes that make the secret at once get one.
func TestSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b")
	var wait sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 8 {
		wait.Go(func() {
			s, err := secretOf(path)
			if err != nil || len(s) != 32 {
				t.Error(s, err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(s)] = true
		})
	}
	wait.Wait()
	if len(seen) != 1 {
		t.Errorf("%d secrets", len(seen))
	}
}
