// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// nothing are options of a server on which every policy is refused.
func nothing() Options {
	return Options{
		Prepare: func(context.Context, Open) (*sandbox.Prepared, func(), error) {
			return nil, nil, diag.New(diag.WorkspaceInvalid, "there is none", "")
		},
		Hosts: func(context.Context) (any, error) { return []string{}, nil },
	}
}

// TestWellFormed: what is no text of JSON in one reading only is refused, and what
// is one is not.
func TestWellFormed(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		`{"a":1,"b":[true,null,"x"]}`: true,
		`{"a":"\ud83d\ude00\\ud800"}`: true,
		`{"a":1,"a":2}`:               false,
		`{"x":{"a":1,"a":2}}`:         false,
		`{"a":"\ud83d"}`:              false,
		`{"a":"\ude00"}`:              false,
		`{"a":"\ud83dx"}`:             false,
		"{\"a\":\"\xff\"}":            false,
		`{"a":1} {}`:                  false,
		`{"a":`:                       false,
		``:                            false,
		strings.Repeat("[", 31) + strings.Repeat("]", 31):   true,
		strings.Repeat("[", 100) + strings.Repeat("]", 100): false,
	} {
		if err := wellFormed([]byte(text)); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDecode: keys are spelt as they are written, and null is not anything.
func TestDecode(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		`{"sandbox":"s1","argv":["x"],"env":{"A":null},"tty":{"rows":1,"cols":2}}`: true,
		`{"tty":null}`:                    true,
		`{"Argv":["x"]}`:                  false,
		`{"argv":null}`:                   false,
		`{"argv":["x",null]}`:             false,
		`{"argv":"x"}`:                    false,
		`{"tty":{"rows":1,"Cols":2}}`:     false,
		`{"stdin":1}`:                     false,
		`{"timeout_ms":1.5}`:              false,
		`{"timeout_ms":1e30}`:             false,
		`["x"]`:                           false,
		`{"argv":["x"],"read_write":"x"}`: false,
	} {
		var p startParams
		if err := decode([]byte(text), &p); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestTooLong: a message without end takes no memory, and the next one is read.
func TestTooLong(t *testing.T) {
	t.Parallel()
	in := strings.NewReader(strings.Repeat("x", 3*MaxMessage) + "\n" + `{"jsonrpc":"2.0","id":7,"method":"nosuch"}` + "\n" + strings.Repeat("y", 2*MaxMessage))
	var out bytes.Buffer
	if err := Serve(t.Context(), in, &out, nothing()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "longer than") || !strings.Contains(lines[1], `"id":7`) {
		t.Errorf("%q", lines)
	}
}

// TestWindow: no more is taken than was given back, and the end frees who waits.
func TestWindow(t *testing.T) {
	t.Parallel()
	w := newWindow(10)
	if n := w.take(4); n != 4 {
		t.Errorf("%d, want 4", n)
	}
	if n := w.take(100); n != 6 {
		t.Errorf("%d, want what is left", n)
	}
	w.give(1 << 40)
	if n := w.take(100); n != 10 {
		t.Errorf("%d, want no more than the window", n)
	}
	freed := make(chan int)
	go func() { freed <- w.take(1) }()
	w.close()
	if n := <-freed; n != 0 {
		t.Errorf("%d after the end", n)
	}
}

// FuzzServe: whatever a client sends, each answer is one message of JSON-RPC, and the
// server ends with its input.
func FuzzServe(f *testing.F) {
	hello := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":1}}` + "\n"
	f.Add([]byte(hello))
	f.Add([]byte(hello + `{"jsonrpc":"2.0","id":"x","method":"sandbox.open","params":{"workspace":["/w"],"flags":["-w","x"]}}` + "\n"))
	f.Add([]byte(hello + `{"jsonrpc":"2.0","id":2,"method":"command.start","params":{"sandbox":"s1","argv":["x"],"tty":{"rows":1,"cols":1}}}` + "\n"))
	f.Add([]byte(hello + `{"jsonrpc":"2.0","method":"command.more","params":{"command":"c1","bytes":-1}}` + "\n[]\n{}\nnull\n\"\\ud800\"\n"))
	for name := range methods() {
		f.Add([]byte(hello + `{"jsonrpc":"2.0","id":3,"method":"` + name + `","params":{"command":"c1","sandbox":"s1"}}` + "\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		if err := Serve(t.Context(), bytes.NewReader(data), &out, nothing()); err != nil {
			t.Fatal(err)
		}
		text := out.Bytes()
		if len(text) > 0 && text[len(text)-1] != '\n' {
			t.Fatalf("half a message: %q", text)
		}
		for line := range bytes.Lines(text) {
			var r struct {
				Version string          `json:"jsonrpc"`
				ID      json.RawMessage `json:"id"`
				Result  json.RawMessage `json:"result"`
				Error   *rpcError       `json:"error"`
			}
			if err := json.Unmarshal(line, &r); err != nil || r.Version != "2.0" || len(r.ID) == 0 || (r.Error == nil) == (r.Result == nil) {
				t.Fatalf("%q: %v", line, err)
			}
			if r.Error != nil && (r.Error.Data == nil || r.Error.Data.Diagnostic.Code == "") {
				t.Fatalf("an error without a diagnostic: %q", line)
			}
		}
	})
}
