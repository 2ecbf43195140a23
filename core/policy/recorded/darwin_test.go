// SPDX-License-Identifier: Apache-2.0

package recorded

import (
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// TestDarwin resolves policies on a Mac that is not there.
func TestDarwin(t *testing.T) {
	t.Parallel()
	h := Darwin()
	h.AddDir("/tmp/out")
	h.AddRepository("/var/ws")
	p := policy.Standard("/var/ws")
	p.Files.Write = []string{"/tmp/out"}
	r, _, err := p.Resolve(h)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]policy.Access{
		"/private/var/ws/a": policy.Write, "/private/var/ws/.git/hooks/x": policy.Read, "/private/tmp/out/x": policy.Write,
		"/private/tmp/x": policy.Read, "/Users/me/.ssh/id_ed25519": policy.Hidden, "/USERS/ME/.SSH": policy.Hidden, "/Users/me/x": policy.Read,
	} {
		if got, rule := r.AccessTo(path); got != want {
			t.Errorf("%s: %v by %+v, want %v", path, got, rule, want)
		}
	}
	if _, _, err := policy.Standard("/Users/me").Resolve(Darwin()); err == nil {
		t.Error("a home directory is a workspace")
	}
	if _, _, err := policy.Standard("/absent").Resolve(Darwin()); err == nil {
		t.Error("an absent directory is a workspace")
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	h := Darwin()
	if text, err := h.ReadFile("/Users/me/src/app/.git/HEAD", 100); err != nil || len(text) == 0 {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := h.ReadFile("/Users/me/src/app/.git/HEAD", 3); err == nil {
		t.Error("a file over the limit is read")
	}
	if names, err := h.ReadDir("/Users/me/.ssh", 10); err != nil || len(names) != 2 {
		t.Errorf("%q, %v", names, err)
	}
	if text, err := h.Readlink("/TMP"); err != nil || text != "private/tmp" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := h.Lstat("/users/ME/.GitConfig"); err != nil || info.Kind != policy.KindFile || info.Name != ".gitconfig" {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := h.Lstat("/absent"); err == nil {
		t.Error("what is absent is found")
	}
}
