// SPDX-License-Identifier: Apache-2.0

package installed

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestFilters: every layer at which something leaves, is awaited or comes in is
// blocked for both families and for one user, and nothing is permitted.
func TestFilters(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, f := range Filters(plan.PoolOffline) {
		if f.Do != "block" || f.Weight != 15 {
			t.Errorf("%+v", f)
		}
		if len(f.If) == 0 || f.If[0] != "user={account}" {
			t.Errorf("%s is for %q", f.Layer, f.If)
			continue
		}
		key := f.Layer + " " + strings.Join(f.If[1:], " ")
		if have[key] {
			t.Errorf("%s twice", key)
		}
		have[key] = true
	}
	for family, icmp := range map[string]string{"V4": "proto=1", "V6": "proto=58"} {
		for _, key := range []string{
			"ALE_AUTH_CONNECT_" + family + " ", "ALE_AUTH_LISTEN_" + family + " ", "ALE_AUTH_RECV_ACCEPT_" + family + " ",
			"ALE_RESOURCE_ASSIGNMENT_" + family + " " + icmp, "ALE_RESOURCE_ASSIGNMENT_" + family + " raw",
		} {
			if !have[key] {
				t.Errorf("no filter at %s", key)
			}
			delete(have, key)
		}
	}
	if len(have) > 0 {
		t.Errorf("more than is known here: %v", have)
	}
}

// TestProxyFilters: an account of the proxy has the filters of an offline one, but
// for the one at CONNECT_V4, in the place of which are three.
func TestProxyFilters(t *testing.T) {
	t.Parallel()
	texts := func(pool string) (list []string) {
		for _, f := range Filters(pool) {
			list = append(list, f.Do+" "+f.Layer+" "+strings.Join(f.If, " "))
		}
		slices.Sort(list)
		return list
	}
	const one = "block ALE_AUTH_CONNECT_V4 user={account}"
	offline := texts(plan.PoolOffline)
	want := slices.DeleteFunc(slices.Clone(offline), func(f string) bool { return f == one })
	want = append(want, one+" proto!=6", one+" raddr!=127.0.0.1", one+" rport!={port}")
	slices.Sort(want)
	if got := texts(plan.PoolProxy); !slices.Equal(got, want) || len(want) != len(offline)+2 || len(got) > MostFilters {
		t.Errorf("%q, want %q", got, want)
	}
	for _, pool := range []string{plan.PoolOnline, "", "other"} {
		if got := Filters(pool); got == nil || len(got) > 0 {
			t.Errorf("%q has the filters %v", pool, got)
		}
	}
}

// TestFiltersAreOnesOwn: a caller that changes what it got changes nothing for
// the next, nor does one that binds the port.
func TestFiltersAreOnesOwn(t *testing.T) {
	t.Parallel()
	for _, pool := range []string{plan.PoolOffline, plan.PoolProxy} {
		list := Filters(pool)
		before := fmt.Sprint(list)
		for _, f := range Bind(list, 31337) {
			f.If[0] = "user=S-1-1-0"
		}
		if after := fmt.Sprint(list); after != before {
			t.Errorf("%s\nbefore\n%s", after, before)
		}
	}
}

// TestBind: each condition of a bound filter can be read, and the port is the
// account's; without a port a filter that needs one cannot be made.
func TestBind(t *testing.T) {
	t.Parallel()
	ports := 0
	for _, f := range Bind(Filters(plan.PoolProxy), 31337) {
		for _, text := range f.If[1:] {
			c, err := ParseCondition(text)
			if err != nil {
				t.Error(err)
			}
			if c.Field == "rport" {
				ports++
				if !c.Not || c.Value != 31337 {
					t.Errorf("%+v", c)
				}
			}
		}
	}
	if ports != 1 {
		t.Errorf("%d conditions for a port", ports)
	}
	unbound := 0
	for _, f := range Bind(Filters(plan.PoolProxy), 0) {
		for _, text := range f.If[1:] {
			if _, err := ParseCondition(text); err != nil {
				unbound++
			}
		}
	}
	if unbound != 1 {
		t.Errorf("%d conditions are refused without a port", unbound)
	}
}

func TestParseCondition(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Condition{
		"raw": {Field: "raw"}, "proto=1": {"proto", false, 1}, "proto!=6": {"proto", true, 6},
		"raddr!=127.0.0.1": {"raddr", true, 0x7f000001}, "rport!=31337": {"rport", true, 31337}, "rport=65535": {"rport", false, 65535},
	} {
		if got, err := ParseCondition(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "raw=1", "!raw", "user={account}", "proto=", "proto=256", "proto=-1", "proto=06", "proto=+6", "proto!!=6", "proto==6", " proto=6",
		"raddr=127.0.0.0/8", "raddr=::1", "raddr=::ffff:127.0.0.1", "raddr!=127.1", "raddr!=127.0.0.01", "rport=65536", "rport!={port}", "rport!=31337 ",
	} {
		if got, err := ParseCondition(text); err == nil || got != (Condition{}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// FuzzParseCondition: what is read is what is written, and nothing else.
func FuzzParseCondition(f *testing.F) {
	for _, text := range []string{"raw", "proto=58", "proto!=6", "raddr!=127.0.0.1", "rport!=31337", "rport!={port}", "x=1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition(text)
		if err != nil {
			if c != (Condition{}) {
				t.Fatalf("%q: %+v beside %v", text, c, err)
			}
			return
		}
		if c.String() != text || c.Field == "proto" && c.Value > 255 || c.Field == "rport" && c.Value > 65535 {
			t.Fatalf("%q is %+v, which is %q", text, c, c)
		}
	})
}

// TestSetupForm keeps the names by which facts hold the state of a setup, which
// recorded facts have.
func TestSetupForm(t *testing.T) {
	t.Parallel()
	s := Setup{State: "partial", Detail: "d", Install: "a1b2c3d", Offline: 4, Online: 2, Proxy: 3}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"state":"partial","detail":"d","install":"a1b2c3d","offline":4,"online":2,"proxy":3}`; string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	none, err := json.Marshal(Setup{State: "none"})
	if err != nil || slices.ContainsFunc([]string{"detail", "install"}, func(k string) bool { return strings.Contains(string(none), k) }) {
		t.Errorf("%s, %v", none, err)
	}
}
