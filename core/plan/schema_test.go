// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "../../docs/schema/plan.json"

func TestSchemaFile(t *testing.T) {
	t.Parallel()
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(schemaFile); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of step (%v); run go test ./core/plan -update", schemaFile, err)
	}
}

// TestSchemaAgrees: another reader of the schema takes the golden plans, and
// refuses what Decode refuses for its form.
func TestSchemaAgrees(t *testing.T) {
	t.Parallel()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plan.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("plan.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return compiled.Validate(v)
	}
	golden, err := filepath.Glob("testdata/*.json")
	if err != nil || len(golden) < 2 {
		t.Fatalf("golden plans %q, %v", golden, err)
	}
	for _, file := range golden {
		if filepath.Base(file) == "windows.json" {
			continue // of another form, which the schema leaves out
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(string(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, c := range [][2]string{
			{`"format":1`, `"format":2`}, {`"backend":"`, `"backend":1,"b":"`}, {`"claims":{`, `"claims":{"no.such":{"by":"kernel"},`},
			{`"steps":[`, `"steps":[{"step":"chroot"},`}, {`"steps":[{`, `"steps":[{"more":1,`}, {`"by":"kernel"`, `"by":"hope"`}, {`"arch":`, `"bow":`},
		} {
			bad := strings.Replace(string(text), c[0], c[1], 1)
			if bad == string(text) {
				t.Errorf("%s has no %s", file, c[0])
				continue
			}
			if check(bad) == nil {
				t.Errorf("%s: %s is taken by the schema", file, c[1])
			}
			if _, err := Decode([]byte(bad)); err == nil {
				t.Errorf("%s: %s is taken by Decode", file, c[1])
			}
		}
	}
}
