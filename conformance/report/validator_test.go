// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSchemaElsewhere asks a validator that is not ours.
func TestSchemaElsewhere(t *testing.T) {
	t.Parallel()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("report.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for name, r := range samples() {
		if err := valid(write(t, r, "json")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := write(t, mixed(), "json")
	for name, c := range refusals() {
		if !c.beyond && valid(strings.Replace(good, c.old, c.new, 1)) == nil {
			t.Errorf("%s: the schema allows it", name)
		}
	}
}
