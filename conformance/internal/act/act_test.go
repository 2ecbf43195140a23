// SPDX-License-Identifier: Apache-2.0

package act_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// TestOneLine: whatever a request or a reply holds, it is one line, and comes back.
func TestOneLine(t *testing.T) {
	t.Parallel()
	asked := act.Request{Nonce: "n\n", Op: "write", Path: "/a\nb\u2028", Data: "\n\r\x00", Nums: []int64{-1, 1 << 62}, Then: []act.Request{{Op: "read", Path: "\n"}}}
	said := act.Reply{Nonce: "n\n", Err: "no\nway", Errno: "EPERM", Data: []byte{'\n', 0xff}, List: []string{"\n"}, Replies: []act.Reply{{Num: 3}}}
	var wire bytes.Buffer
	if err := json.NewEncoder(&wire).Encode(asked); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&wire).Encode(said); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(wire.Bytes(), []byte("\n"))
	if len(lines) != 3 || len(lines[2]) != 0 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	var gotAsked act.Request
	var gotSaid act.Reply
	if err := json.Unmarshal(lines[0], &gotAsked); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(lines[1], &gotSaid); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asked, gotAsked) + cmp.Diff(said, gotSaid); diff != "" {
		t.Error(diff)
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reply act.Reply
		ok    bool
		said  string
	}{
		{act.Reply{Num: 1}, true, "it succeeded"},
		{act.Reply{Err: "permission denied", Errno: "EACCES"}, false, "permission denied"},
	} {
		if c.reply.OK() != c.ok || c.reply.Said() != c.said {
			t.Errorf("%+v: %v, %q", c.reply, c.reply.OK(), c.reply.Said())
		}
	}
}
