// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"slices"
	"strings"
	"testing"
)

func TestCandidates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path string
		env  []string
		want []string
	}{
		{"make", []string{"PATH=/opt/bin:/usr/bin"}, []string{"/opt/bin/make", "/usr/bin/make"}},
		{"make", []string{"A=PATH=/x"}, []string{"/usr/bin/make", "/bin/make", "/usr/sbin/make", "/sbin/make"}},
		{"make", []string{"PATH=.:bin::/usr/bin"}, []string{"/usr/bin/make"}},
		{"make", []string{"PATH=."}, []string{"/nonexistent/make"}},
		{"make", []string{"PATH=/first", "PATH=/last"}, []string{"/last/make"}},
		{"./make", []string{"PATH=/usr/bin"}, []string{"./make"}},
	} {
		if got := candidates(c.path, c.env); !slices.Equal(got, c.want) {
			t.Errorf("%q with %q: got %q, want %q", c.path, c.env, got, c.want)
		}
	}
}

// TestEnvironOf reads the form that xnu writes, which was not seen on a Mac.
func TestEnvironOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"two arguments":      {"\x02\x00\x00\x00/bin/sh\x00\x00\x00\x00sh\x00-c\x00A=b\x00C=d\x00", "A=b\x00C=d\x00"},
		"none":               {"\x00\x00\x00\x00/bin/sh\x00\x00A=b\x00", "A=b\x00"},
		"no environment":     {"\x01\x00\x00\x00/bin/sh\x00\x00sh\x00", ""},
		"cut in arguments":   {"\x03\x00\x00\x00/bin/sh\x00\x00sh\x00-c\x00A=b", ""},
		"more than there is": {"\xff\xff\xff\xff/bin/sh\x00\x00sh\x00A=b\x00", ""},
		"an empty argument":  {"\x02\x00\x00\x00/bin/sh\x00\x00sh\x00\x00A=b\x00", "A=b\x00"},
		"cut":                {"\x02\x00", ""},
		"nothing":            {"", ""},
	} {
		if got := EnvironOf([]byte(c.raw)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// FuzzEnvironOf wants whatever a process makes of its arguments to be read
// within the bytes, and only what follows them to be taken for environment.
func FuzzEnvironOf(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00/bin/sh\x00\x00\x00\x00sh\x00-c\x00A=b\x00"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got := EnvironOf(raw); !strings.HasSuffix(string(raw), got) || len(got) > max(0, len(raw)-4) {
			t.Errorf("%q of %q", got, raw)
		}
	})
}
