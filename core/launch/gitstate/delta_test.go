// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package gitstate

import (
	"bytes"
	"testing"
)

func TestApplyDelta(t *testing.T) {
	t.Parallel()
	base := []byte("0123456789")
	for name, c := range map[string]struct {
		delta string
		want  string // "": refused
	}{
		"copy and insert":   {"\x0a\x05\x91\x02\x03\x02ab", "234ab"},
		"wrong base":        {"\x09\x01\x01a", ""},
		"cut in size":       {"\x0a\x81", ""},
		"cut in copy":       {"\x0a\x05\x91\x02", ""},
		"cut in insert":     {"\x0a\x05\x05ab", ""},
		"copy beyond":       {"\x0a\x05\x91\x08\x05", ""},
		"offset beyond":     {"\x0a\x05\x9f\xff\xff\xff\xff\x05", ""},
		"longer than said":  {"\x0a\x01\x02ab", ""},
		"shorter than said": {"\x0a\x05\x02ab", ""},
		"reserved":          {"\x0a\x05\x00", ""},
		"huge":              {"\x0a\xff\xff\xff\x7f\x01a", ""},
		"empty":             {"", ""},
	} {
		got, err := applyDelta(base, []byte(c.delta))
		if (err == nil) != (c.want != "") || string(got) != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzApplyDelta(f *testing.F) {
	f.Add([]byte("0123456789"), []byte("\x0a\x05\x91\x02\x03\x02ab"))
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		out, err := applyDelta(base, delta)
		if err != nil && out != nil || len(out) > maxDelta {
			t.Errorf("%d bytes, %v", len(out), err)
		}
		if again, _ := applyDelta(base, delta); !bytes.Equal(out, again) {
			t.Error("not deterministic")
		}
	})
}
