// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestSameWriter(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for _, c := range []struct {
		a, b io.Writer
		want bool
	}{
		{&b, &b, true},
		{&b, &bytes.Buffer{}, false},
		{&b, io.Discard, false},
		{incomparable{nil}, incomparable{nil}, false},
	} {
		if got := same(c.a, c.b); got != c.want {
			t.Errorf("same(%T, %T) = %v", c.a, c.b, got)
		}
	}
}

type incomparable struct{ f []func() }

func (incomparable) Write(p []byte) (int, error) { return len(p), nil }

func TestTail(t *testing.T) {
	t.Parallel()
	k := &tail{}
	for range 3 {
		if n, err := k.Write(bytes.Repeat([]byte("x"), tailSize-1)); n != tailSize-1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := k.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	if len(k.text) != tailSize || !strings.HasSuffix(string(k.text), "xend") {
		t.Errorf("%d bytes are kept", len(k.text))
	}
}

func TestSetEnv(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "AB=2", "A=3"}
	got := set(env, "A", "4")
	if strings.Join(got, " ") != "AB=2 A=4" || strings.Join(env, " ") != "A=1 AB=2 A=3" {
		t.Errorf("%q from %q", got, env)
	}
}

func TestCommandString(t *testing.T) {
	t.Parallel()
	c := &Cmd{Path: "echo", Args: []string{"echo", "a b", "\x1b[31m"}}
	if got, want := c.String(), `echo 'a b' $'\x1b[31m'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
