// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the schema")

func TestReportSchema(t *testing.T) {
	t.Parallel()
	const file = "../../docs/schema/report.json"
	got, err := ReportSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of step (%v); run go test ./core/backend -update", file, err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("report.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	good, err := EncodeReport(sampleReport())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		string(good): true, `{"usable":false,"offers":{},"facts":null}`: true, `{}`: false,
		`{"usable":1,"offers":{},"facts":null}`: false, `{"usable":true,"offers":{},"facts":null,"more":1}`: false,
	} {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(v); (err == nil) != want {
			t.Errorf("%s: %v, want valid: %v", text, err, want)
		}
	}
}
