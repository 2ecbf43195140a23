// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// TestProof: what is tried is the workspace, and of the rest what is the host's
// inside too.
func TestProof(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, home, work, own string
		want                  []string
	}{
		{"usual", "/home/u", "/home/u/src/w", "/home/u/.local/state/caisson", []string{"/home/u", "/home/u/.local/state/caisson", "/home/u/src", "/home"}},
		{"home below a temporary directory", "/tmp/u", "/srv/w", "/tmp/u/.local/state/caisson", []string{"/srv"}},
		{"state elsewhere", "/tmp/u", "/tmp/u/w", "/srv/state", []string{"/srv/state"}},
		{"all below it", "/tmp/u", "/tmp/u/w", "/tmp/u/state", nil},
		{"a name that begins alike", "/tmpfiles", "/tmpfiles/w", "/tmp", []string{"/tmpfiles"}},
	} {
		text, err := json.Marshal(map[string]any{
			"format": 1, "os": "linux", "home": c.home, "workspace": []string{c.work}, "own": []string{c.own},
			"rules":   []policy.Rule{{Path: c.work, Access: policy.Write, Kind: policy.KindDir, Root: true, Origin: policy.Origin{File: "standard"}}},
			"network": map[string]any{"mode": "offline"}, "env": map[string]any{"inherit": "clean"},
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := policy.DecodeResolved(text)
		if err != nil {
			t.Fatal(err)
		}
		got := proofOf(r, []string{"/tmp", "/var/tmp"})
		if got.Writable != c.work || !got.Offline || !slices.Equal(got.Forbidden, c.want) {
			t.Errorf("%s: %+v, want %q", c.name, got, c.want)
		}
	}
}
