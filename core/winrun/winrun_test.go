// SPDX-License-Identifier: Apache-2.0

package winrun

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	c := NewConn(&b, &b)
	all := []Message{
		{Kind: Open, Version: 1, Plan: json.RawMessage(`{"format":1}`), State: `C:\s`},
		{Kind: Start, ID: 1, Path: "cmd", Args: []string{"cmd", `a "b"`}, Env: []string{"A=ä"}, Dir: `C:\`, Handles: []uint64{4, 0, 1 << 40}, Console: true, Columns: 80, Rows: 24},
		{Kind: Opened, Attested: &plan.Attested{Restricting: []string{"{account}"}, DenyOnly: []string{"@logon"}}},
		{Kind: Exited, ID: 1, Status: 0xc0000005},
		Failure(0, "token", diag.New(diag.AttestFailed, "x", "y")),
		{Kind: Leased, Port: 22001}, {Kind: Owned, Port: 22001},
	}
	for _, m := range all {
		if err := c.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range all {
		got, err := c.Receive()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := c.Receive(); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
	var d *diag.Diagnostic
	if err := all[4].Err(); !errors.As(err, &d) || d.Code != diag.AttestFailed || d.Message != "step token: x" {
		t.Error(err)
	}
}

func frame(body string) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string][]byte{
		"half a length": {1, 0}, "half a body": frame(`{"kind":"open"}`)[:10], "a giant": {0xff, 0xff, 0xff, 0xff},
		"no JSON": frame("x"), "unknown kind": frame(`{"kind":"run"}`), "unknown field": frame(`{"kind":"open","now":1}`), "twice": frame(`{"kind":"open","kind":"close"}`),
	} {
		if m, err := NewConn(bytes.NewReader(raw), nil).Receive(); err == nil || err == io.EOF {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if err := NewConn(nil, io.Discard).Send(Message{Kind: Start, Path: string(make([]byte, MaxFrame))}); err == nil {
		t.Error("a message without end is sent")
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(frame(`{"kind":"leased","port":22001,"attested":null}`))
	f.Add(frame(`{"kind":"start","id":1,"args":["x"],"attested":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := NewConn(bytes.NewReader(raw), nil).Receive()
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := NewConn(nil, &b).Send(m); err != nil {
			t.Fatal(err)
		}
		again, err := NewConn(&b, nil).Receive()
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v, then %+v, %v", m, again, err)
		}
	})
}
