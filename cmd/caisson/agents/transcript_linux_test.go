// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestTranscripts plays conversations and compares the answers with what is
// written, without what differs from run to run. Each message of both sides is
// held against the schema.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/transcripts/*.jsonl")
	if err != nil || len(names) == 0 {
		t.Fatal("no transcripts: ", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, newSchema(t), string(text))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// play sends the lines of the client, which begin with "> ", and notes what comes
// back with "< ". A line of the client waits for the answer to the one before,
// but after one that begins with ">> ".
func play(t *testing.T, schema *schemas, text string) string {
	dir, beside := workspace(t), workspace(t)
	s := startRaw(t, program())
	in := bufio.NewReader(s.out)
	var b strings.Builder
	asked := map[string]question{}
	output := "" // what commands wrote, noted before the answer to a wait: it comes at any time until then
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		mark, message, _ := strings.Cut(line, " ")
		switch mark {
		case ">", ">>":
		case "<":
			continue
		default:
			fmt.Fprintln(&b, line) // a remark
			continue
		}
		fmt.Fprintln(&b, line)
		message = strings.NewReplacer("$WORK", dir, "$BESIDE", beside).Replace(message)
		fmt.Fprintln(s.in, message)
		var head struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		_ = json.Unmarshal([]byte(message), &head) // some are malformed
		asked[string(head.ID)] = question{head.Method, schema.request(t, head.Method, message)}
		for mark == ">" {
			answer, err := in.ReadBytes('\n')
			if err != nil {
				t.Fatalf("after %s: %v", line, err)
			}
			id := schema.answer(t, asked, answer)
			told := fmt.Sprintf("< %s\n", strings.NewReplacer(dir, "$WORK", beside, "$BESIDE").Replace(string(masked(t, answer))))
			if id == "" {
				output += told
			} else if asked[id].method == "command.wait" {
				b.WriteString(output + told)
				output = ""
			} else {
				b.WriteString(told)
			}
			if id == string(head.ID) || id == "null" {
				break
			}
		}
	}
	return b.String()
}

// question is a request that was sent.
type question struct {
	method string
	bad    error // what the schema has against it
}

// masked takes out of a message what differs from run to run.
func masked(t *testing.T, message []byte) []byte {
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(message))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	mask(v)
	out := &bytes.Buffer{}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(out.Bytes())
}

func mask(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			switch key {
			case "pid", "elapsed_ms", "usage", "caisson", "backends", "policy_digest", "digest", "claims", "diagnostics", "policy", "plan", "arch":
				v[key] = "…"
			default:
				mask(inner)
			}
		}
	case []any:
		for _, inner := range v {
			mask(inner)
		}
	}
}

// schemas are the parts of docs/schema/serve.json.
type schemas struct{ compiler *jsonschema.Compiler }

const schemaURL = "serve.json"

func newSchema(t *testing.T) *schemas {
	t.Helper()
	c := jsonschema.NewCompiler()
	for _, name := range []string{"serve.json", "plan.json", "resolved-policy.json"} {
		text, err := os.Open(filepath.Join("../../../docs/schema", name))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(text)
		text.Close()
		if err == nil {
			err = c.AddResource(name, doc)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return &schemas{c}
}

// valid holds a message against one definition.
func (s *schemas) valid(t *testing.T, definition string, message []byte) error {
	t.Helper()
	sch, err := s.compiler.Compile(schemaURL + "#/$defs/" + definition)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
	if err != nil {
		return err
	}
	return sch.Validate(v)
}

// request says what the schema has against a message of the client.
func (s *schemas) request(t *testing.T, method, message string) error {
	t.Helper()
	if _, err := s.compiler.Compile(schemaURL + "#/$defs/" + method + ".request"); err != nil {
		return err
	}
	return s.valid(t, method+".request", []byte(message))
}

// answer holds a message of the server against the schema and gives its id. What
// was answered the schema must have allowed.
func (s *schemas) answer(t *testing.T, asked map[string]question, message []byte) string {
	t.Helper()
	var head struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(message, &head); err != nil {
		t.Fatal(err)
	}
	q := asked[string(head.ID)]
	definition := q.method + ".response"
	switch {
	case head.Method != "":
		definition = head.Method
	case head.Error != nil:
		definition = "error"
	case q.bad != nil:
		t.Errorf("%s was answered, and the schema does not allow it: %v", q.method, q.bad)
	}
	if err := s.valid(t, definition, message); err != nil {
		t.Errorf("%s: %v", message, err)
	}
	return string(head.ID)
}
