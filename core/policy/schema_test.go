// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func TestSchema(t *testing.T) {
	t.Parallel()
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden := "../../docs/schema/policy.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go test -update if this is meant (-want +got)\n%s", diff)
	}
}

// TestSchemaNamesEverySetting finds each setting with its sentence where files
// have it.
func TestSchemaNamesEverySetting(t *testing.T) {
	t.Parallel()
	data, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var top struct {
		Properties map[string]struct {
			Description string
			Properties  map[string]struct{ Description string }
		}
	}
	if err := json.Unmarshal(data, &top); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for key, p := range top.Properties {
		found[key] = p.Description
		for inner, q := range p.Properties {
			found[key+"."+inner] = q.Description
		}
	}
	for _, s := range settings() {
		if s.about == "" || found[s.name] != s.about {
			t.Errorf("%s: the schema says %q", s.name, found[s.name])
		}
	}
}

// TestResolvedSchema keeps the published schema in step.
func TestResolvedSchema(t *testing.T) {
	t.Parallel()
	const file = "../../docs/schema/resolved-policy.json"
	got, err := ResolvedSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go test -update if this is meant (-want +got)\n%s", diff)
	}
}
