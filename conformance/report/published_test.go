// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestPublishedSchema wants the schema that the documentation links to be the
// one of the code.
func TestPublishedSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "schema", "conformance-report.json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, JSONSchema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, JSONSchema()) {
		t.Error("docs/schema/conformance-report.json is not the schema of the code; run go test -update if the change is meant")
	}
}
