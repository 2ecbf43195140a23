// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

func TestPreferred(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c"}
	for preferred, want := range map[string][]string{"": names, "x": names, "a": names, "c": {"c", "a", "b"}} {
		if got := Preferred(names, preferred); !slices.Equal(got, want) {
			t.Errorf("%q: %q", preferred, got)
		}
	}
}

func TestSticky(t *testing.T) {
	t.Parallel()
	off, px := []string{"off0", "off1", "off2"}, []string{"px0", "px1"}
	text := Remember(Remember(Remember("", `C:\a`, "off0", off), `C:\b`, "off1", off), `c:\A`, "off2", off)
	if text != "off2\tc:\\A\noff1\tC:\\b\n" {
		t.Errorf("%q", text)
	}
	// What one pool served is not forgotten for the other.
	text = Remember(Remember(text, `C:\a`, "px0", px), `C:\a`, "px1", px)
	for path, want := range map[string]string{`C:\A`: "off2", `C:\b`: "off1", `C:\c`: ""} {
		if got := Sticky(text, path, off); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	for path, want := range map[string]string{`C:\A`: "px1", `C:\b`: ""} {
		if got := Sticky(text, path, px); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	if n := strings.Count(text, "\n"); n != 3 {
		t.Errorf("%d lines: %q", n, text)
	}
	for i := range 2 * mostSticky {
		text = Remember(text, fmt.Sprint(`C:\`, i), "x", []string{"x"})
	}
	if n := strings.Count(text, "\n"); n != mostSticky {
		t.Errorf("%d workspaces are remembered", n)
	}
	if got := Sticky("no tab\n\n", "no tab", []string{"no tab", ""}); got != "" {
		t.Errorf("%q", got)
	}
}

func TestCapabilitySID(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{1}, 32)
	a := CapabilitySID(secret, `C:\ws`)
	if a != CapabilitySID(secret, `c:\WS`) || a == CapabilitySID(secret, `C:\ws2`) || a == CapabilitySID(bytes.Repeat([]byte{2}, 32), `C:\ws`) {
		t.Error(a)
	}
	if _, err := access.SID(a).Bytes(); err != nil {
		t.Error(err)
	}
}

// TestSecret: processes that make the secret at once get one.
func TestSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b")
	var wait sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 8 {
		wait.Go(func() {
			s, err := secretOf(path)
			if err != nil || len(s) != 32 {
				t.Error(s, err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(s)] = true
		})
	}
	wait.Wait()
	if len(seen) != 1 {
		t.Errorf("%d secrets", len(seen))
	}
}

// TestChoose: the first account that nobody holds and whose port is free is taken,
// the preferred one before others; what was passed over is given back.
func TestChoose(t *testing.T) {
	t.Parallel()
	o := request().Setup
	const off0, off1, px0, px1 = "caisson-a1b2c3d-off0", "caisson-a1b2c3d-off1", "caisson-a1b2c3d-px0", "caisson-a1b2c3d-px1"
	port0, port1 := o.Port(px0), o.Port(px1)
	for name, c := range map[string]struct {
		pool, preferred string
		held            []string
		taken           []int
		want            string // "": a refusal that says says
		says            string
	}{
		"the first":                       {pool: plan.PoolOffline, want: off0},
		"the preferred one":               {pool: plan.PoolOffline, preferred: off1, want: off1},
		"one is held":                     {pool: plan.PoolProxy, held: []string{px0}, want: px1},
		"the preferred one is held":       {pool: plan.PoolProxy, preferred: px1, held: []string{px1}, want: px0},
		"the port of the preferred one":   {pool: plan.PoolProxy, preferred: px1, taken: []int{port1}, want: px0},
		"a port of another pool's":        {pool: plan.PoolOffline, taken: []int{port0, port1, 0}, want: off0},
		"all are held":                    {pool: plan.PoolProxy, held: []string{px0, px1}, says: "all 2 proxy sandbox accounts are in use"},
		"all ports are taken":             {pool: plan.PoolProxy, taken: []int{port0, port1}, says: "another program has port"},
		"one is held, the other's port":   {pool: plan.PoolProxy, held: []string{px0}, taken: []int{port1}, says: fmt.Sprint("another program has port ", port1)},
		"a preferred one of another pool": {pool: plan.PoolProxy, preferred: off1, want: px0},
		"no such pool":                    {pool: "other", says: "all 0 other sandbox accounts"},
	} {
		var locked []string
		got, err := choose(o, c.pool, c.preferred, func(account string) (func() error, error) {
			if slices.Contains(c.held, account) {
				return nil, errHeld
			}
			locked = append(locked, account)
			return func() error {
				locked = slices.DeleteFunc(locked, func(l string) bool { return l == account })
				return nil
			}, nil
		}, func(port int) bool { return !slices.Contains(c.taken, port) })
		if c.want == "" {
			d, _ := errors.AsType[*diag.Diagnostic](err)
			if d == nil || d.Remedy == "" || !strings.Contains(d.Message, c.says) || len(locked) > 0 {
				t.Errorf("%s: %v, want %q; still locked: %q", name, err, c.says, locked)
			}
			continue
		}
		if err != nil || got.name != c.want || got.port != o.Port(c.want) || !slices.Equal(locked, []string{c.want}) {
			t.Errorf("%s: %+v, %v, locked %q", name, got, err, locked)
		}
	}
	broken := errors.New("the disk is full")
	if _, err := choose(o, plan.PoolProxy, "", func(string) (func() error, error) { return nil, broken }, nil); !errors.Is(err, broken) {
		t.Errorf("a lock that cannot be tried: %v", err)
	}
}

// TestStanding: a filter that was read back counts where it differs in nothing,
// and one beside those that are planned is noticed.
func TestStanding(t *testing.T) {
	t.Parallel()
	const sid = "S-1-5-21-1-2-3-1100"
	want := installed.Bind(installed.Filters(plan.PoolProxy), 31337)
	read := func() (have []Filter) {
		for _, f := range want {
			have = append(have, Filter{Layer: f.Layer, Block: true, SID: sid, If: slices.Clone(f.If[1:])})
		}
		return have
	}
	if n := standing(want, read(), sid); n != len(want) {
		t.Fatalf("%d of %d stand", n, len(want))
	}
	port := slices.IndexFunc(want, func(f plan.WindowsFilter) bool { return slices.Contains(f.If, "rport!=31337") })
	for name, change := range map[string]func(have []Filter) []Filter{
		"one is gone":          func(h []Filter) []Filter { return h[1:] },
		"one is twice":         func(h []Filter) []Filter { return append(h, h[0]) },
		"one is beside":        func(h []Filter) []Filter { return append(h, Filter{Layer: "x", SID: sid}) },
		"one gone, two beside": func(h []Filter) []Filter { return append(h[1:], Filter{Layer: "x"}, Filter{Layer: "y"}) },
		"all are gone":         func([]Filter) []Filter { return nil },
		"another port":         func(h []Filter) []Filter { h[port].If[0] = "rport!=31338"; return h },
		"the port alone":       func(h []Filter) []Filter { h[port].If[0] = "rport=31337"; return h },
		"one condition more":   func(h []Filter) []Filter { h[port].If = append(h[port].If, "proto!=6"); return h },
		"no condition":         func(h []Filter) []Filter { h[port].If = nil; return h },
		"for another user":     func(h []Filter) []Filter { h[0].SID = "S-1-1-0"; return h },
		"it permits":           func(h []Filter) []Filter { h[0].Block = false; return h },
		"at another layer":     func(h []Filter) []Filter { h[0].Layer = "ALE_AUTH_LISTEN_V6"; return h },
	} {
		if n := standing(want, change(read()), sid); n == len(want) {
			t.Errorf("%s: all stand", name)
		}
	}
}
