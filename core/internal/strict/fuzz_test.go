// SPDX-License-Identifier: Apache-2.0

package strict_test

import (
	"bytes"
	"encoding/json"
	"testing"

	toml "github.com/pelletier/go-toml/v2"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// FuzzJSON holds the scanner against the standard library: what this package
// accepts is JSON of the same meaning, and the canonical form reads back as
// itself.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"version":1}`, `{"a":[1,-0.5e3,"\ud83d\ude00\u00e9\n"],"b":null}`, `[`, `{"a":1,"a":2}`, `"\ud800"`, `1 2`, `{"on":true,"files":{"write":["x"]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := strict.JSON("p.json", data, diag.PlanInvalid)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted what is no JSON: %q", data)
		}
		checkStable(t, n)
		var d document
		if strict.Decode(n, &d) == nil {
			checkDocument(t, d)
		}
	})
}

// FuzzTOML does the same with the TOML decoder that the parser belongs to.
func FuzzTOML(f *testing.F) {
	for _, s := range []string{"version = 1\n[files]\nwrite = ['a']\n", "a.b = {c = 1}\n[a.d]\n[[e]]\nf = [1,\n2]", "[a.b]\n[a]\nc = 0x1f", "a = 1979-05-27", "x = '''y'''\nz = \"\"\"\\\n q\"\"\"", "[a]\n[a]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := strict.TOML("p.toml", data, diag.PolicyInvalid)
		if err != nil {
			return
		}
		var other map[string]any
		if err := toml.Unmarshal(data, &other); err != nil && !dateTrouble(n) {
			t.Fatalf("accepted %q, which is refused elsewhere: %v", data, err)
		}
		checkStable(t, n)
		var d document
		if strict.Decode(n, &d) == nil {
			checkDocument(t, d)
		}
	})
}

// dateTrouble reports whether a value is an unquoted date, which is read no
// further here because no key takes one.
func dateTrouble(n *strict.Node) bool {
	found := n.Kind == strict.Time
	for _, m := range n.Members {
		found = found || dateTrouble(m.Value)
	}
	for _, i := range n.List {
		found = found || dateTrouble(i)
	}
	return found
}

func checkStable(t *testing.T, n *strict.Node) {
	t.Helper()
	one, err := strict.Canonical(n)
	if err != nil {
		t.Fatal(err)
	}
	if len(one) > strict.MaxSize {
		return
	}
	again, err := strict.JSON("again", one, diag.PlanInvalid)
	if err != nil {
		t.Fatalf("canonical form %s: %v", one, err)
	}
	two, err := strict.Canonical(again)
	if err != nil || !bytes.Equal(one, two) {
		t.Fatalf("canonical form is not stable: %s, %s, %v", one, two, err)
	}
}

func checkDocument(t *testing.T, d document) {
	t.Helper()
	one, err := strict.Canonical(d)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strict.JSON("again", one, diag.PlanInvalid)
	if err != nil {
		t.Fatalf("canonical form %s: %v", one, err)
	}
	var again document
	if err := strict.Decode(n, &again); err != nil {
		t.Fatalf("canonical form %s: %v", one, err)
	}
	two, err := strict.Canonical(again)
	if err != nil || !bytes.Equal(one, two) {
		t.Fatalf("canonical form is not stable: %s, %s, %v", one, two, err)
	}
}
