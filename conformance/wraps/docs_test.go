// SPDX-License-Identifier: Apache-2.0

package wraps_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/conformance/wraps"
)

func document(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestClauses wants the clause of every case to be an anchor of the contract.
func TestClauses(t *testing.T) {
	t.Parallel()
	contract := document(t, "contract.md")
	for _, c := range conformance.Cases() {
		if n := strings.Count(contract, "<a id=\""+c.Clause+"\"></a>"); n != 1 {
			t.Errorf("%s: docs/contract.md has %d anchors %q", c.ID, n, c.Clause)
		}
	}
}

// TestDocumentedForm wants the documentation of wrap files to name every key
// and every placeholder that there is, every wrap that comes with caisson, and
// nothing else. The code's own lists are those of its errors.
func TestDocumentedForm(t *testing.T) {
	t.Parallel()
	text := document(t, "conformance/README.md")
	_, noKey := wraps.Decode("x", []byte("nothing = 1\n"))
	_, noPlaceholder := conformance.ParseWrap("box {nothing}")
	if noKey == nil || noPlaceholder == nil {
		t.Fatal("what is not there is taken")
	}
	keys := strings.Split(noKey.Error()[strings.LastIndex(noKey.Error(), "there are ")+len("there are "):], ", ")
	placeholders := strings.Fields(noPlaceholder.Error()[strings.LastIndex(noPlaceholder.Error(), "they are ")+len("they are "):])
	for _, c := range []struct {
		what  string
		named *regexp.Regexp
		want  []string
	}{
		{"key", regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (?:number|text|list)"), keys},
		{"placeholder", regexp.MustCompile("(?m)^\\| `(\\{[a-z-]+\\})` \\|"), placeholders},
		{"wrap", regexp.MustCompile("(?m)^### `([a-z]+)`$"), wraps.Names()},
	} {
		var got []string
		for _, m := range c.named.FindAllStringSubmatch(text, -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.want))
		if len(want) < 4 || !slices.Equal(got, want) {
			t.Errorf("docs/conformance/README.md names each %s of %q, and there are %q", c.what, got, want)
		}
	}
}
