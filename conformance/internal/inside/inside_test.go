// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// ask has a helper answer requests as it does in a sandbox.
func ask(t *testing.T, h *Helper, requests ...act.Request) []act.Reply {
	t.Helper()
	var in, out bytes.Buffer
	for _, r := range requests {
		if err := json.NewEncoder(&in).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if status := h.serve(&in, &out); status != 0 {
		t.Fatalf("status %d", status)
	}
	var replies []act.Reply
	for line := range strings.Lines(out.String()) {
		var r act.Reply
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		replies = append(replies, r)
	}
	if len(replies) != len(requests) {
		t.Fatalf("%d replies to %d requests", len(replies), len(requests))
	}
	for i, r := range replies {
		if r.Nonce != requests[i].Nonce {
			t.Errorf("reply %d has the nonce %q, want %q", i, r.Nonce, requests[i].Nonce)
		}
	}
	return replies
}

// TestServe: acts are committed in order, and what the system says of each comes
// back under its nonce.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, missing := filepath.Join(dir, "file"), filepath.Join(dir, "none", "file")
	got := ask(t, New(nil),
		act.Request{Nonce: "1", Op: "write", Path: file, Data: "one"},
		act.Request{Nonce: "2", Op: "append", Path: file, Data: " two"},
		act.Request{Nonce: "3", Op: "read", Path: file},
		act.Request{Nonce: "4", Op: "list", Path: dir},
		act.Request{Nonce: "5", Op: "create", Path: missing},
		act.Request{Nonce: "6", Op: "nonsense"},
		act.Request{Nonce: "7", Op: "remove", Path: file},
	)
	for _, i := range []int{0, 1, 2, 3, 6} {
		if !got[i].OK() {
			t.Errorf("act %d: %s", i, got[i].Err)
		}
	}
	if string(got[2].Data) != "one two" || len(got[3].List) != 1 || got[3].List[0] != "file" {
		t.Errorf("read %q, listed %q", got[2].Data, got[3].List)
	}
	if got[4].OK() || got[4].Errno != "ENOENT" {
		t.Errorf("in a missing directory: %+v", got[4])
	}
	if got[5].OK() || got[5].Errno != "NOACT" || !strings.Contains(got[5].Err, `"nonsense"`) {
		t.Errorf("an act that is none: %+v", got[5])
	}
	if _, err := os.Lstat(file); err == nil {
		t.Error("the file that an act removed is there")
	}
}

// TestPattern: what fill writes is what check accepts, and nothing else is.
func TestPattern(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	const size = 100_000
	got := ask(t, New(nil),
		act.Request{Op: "fill", Path: file, Num: size},
		act.Request{Op: "check", Path: file, Num: size},
		act.Request{Op: "check", Path: file, Num: size - 1},
		act.Request{Op: "overwrite", Path: file, Data: "\xff\xff"},
		act.Request{Op: "check", Path: file, Num: size},
	)
	for i, want := range []bool{true, true, false, true, false} {
		if got[i].OK() != want {
			t.Errorf("act %d: %+v", i, got[i])
		}
	}
}

func TestServeRefusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if status := New(nil).serve(strings.NewReader("{\"op\":\n"), &out); status != 2 || out.Len() != 0 {
		t.Errorf("status %d, output %q", status, out.String())
	}
	// A line that was cut off is not acted on.
	if status := New(nil).serve(strings.NewReader(`{"op":"write"}`), &out); status != 0 || out.Len() != 0 {
		t.Errorf("cut off: status %d, output %q", status, out.String())
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"nonsense"}} {
		if status := New(nil).Run(args); status != 2 {
			t.Errorf("%q: status %d", args, status)
		}
	}
}

// guard refuses one path, answers for another and changes a third.
type guard struct{}

func (guard) Before(r *act.Request) (*act.Reply, error) {
	switch filepath.Base(r.Path) {
	case "refused":
		return nil, os.ErrPermission
	case "answered":
		return &act.Reply{Data: []byte("in its place")}, nil
	case "changed":
		r.Path = filepath.Join(filepath.Dir(r.Path), "other")
	}
	return nil, nil
}

func TestGuard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	got := ask(t, New(guard{}),
		act.Request{Nonce: "1", Op: "write", Path: at("refused")},
		act.Request{Nonce: "2", Op: "read", Path: at("answered")},
		act.Request{Nonce: "3", Op: "write", Path: at("changed"), Data: "x"},
		act.Request{Nonce: "4", Op: "write", Path: at("allowed"), Data: "x"},
	)
	if got[0].OK() || string(got[1].Data) != "in its place" || !got[2].OK() || !got[3].OK() {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]bool{"refused": false, "answered": false, "changed": false, "other": true, "allowed": true} {
		if _, err := os.Lstat(at(name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	_, missing := os.Open(filepath.Join(t.TempDir(), "none"))
	for want, err := range map[string]error{"": nil, "ENOENT": missing, "OTHER": errors.New("something else")} {
		if got := failed(err); got.Errno != want || got.OK() != (err == nil) {
			t.Errorf("%v: %+v", err, got)
		}
	}
}
