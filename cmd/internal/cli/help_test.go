// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// TestPolicyHelp wants the sample of the help to be a policy, with the keys of
// the one in the documentation.
func TestPolicyHelp(t *testing.T) {
	t.Parallel()
	_, sample, ok := strings.Cut(policyHelp, "\n\n  version")
	sample, _, closed := strings.Cut("  version"+sample, "\nThe most specific")
	if !ok || !closed {
		t.Fatalf("no sample in %q", policyHelp)
	}
	sample = strings.ReplaceAll(sample, "\n  ", "\n")
	if _, err := policy.CheckFile("help", []byte(strings.TrimSpace(sample)), policy.LayerSystem); err != nil {
		t.Error(err)
	}
	docs, err := os.ReadFile("../../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(docs), "```toml\n")
	block, _, _ = strings.Cut(block, "```")
	keys := func(text string) []string {
		found := regexp.MustCompile(`(?m)^[a-z][a-z-]*|^\[[a-z]+\]`).FindAllString(text, -1)
		slices.Sort(found)
		return found
	}
	if got, want := keys(strings.TrimSpace(sample)), keys(block); !slices.Equal(got, want) || len(want) < 20 {
		t.Errorf("the help has %q, the documentation %q", got, want)
	}
}
