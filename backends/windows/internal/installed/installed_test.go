// SPDX-License-Identifier: Apache-2.0

package installed

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestFilters: every layer at which something leaves, is awaited or comes in is
// blocked for both families and for one user, and nothing is permitted.
func TestFilters(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, f := range Filters() {
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

// TestFiltersAreOnesOwn: a caller that changes what it got changes nothing for
// the next.
func TestFiltersAreOnesOwn(t *testing.T) {
	t.Parallel()
	before := fmt.Sprint(Filters())
	for _, f := range Filters() {
		f.If[0] = "user=S-1-1-0"
	}
	if after := fmt.Sprint(Filters()); after != before {
		t.Errorf("%s\nbefore\n%s", after, before)
	}
}

// TestSetupForm keeps the names by which facts hold the state of a setup, which
// recorded facts have.
func TestSetupForm(t *testing.T) {
	t.Parallel()
	s := Setup{State: "partial", Detail: "d", Install: "a1b2c3d", Offline: 4, Online: 2}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"state":"partial","detail":"d","install":"a1b2c3d","offline":4,"online":2}`; string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	none, err := json.Marshal(Setup{State: "none"})
	if err != nil || slices.ContainsFunc([]string{"detail", "install"}, func(k string) bool { return strings.Contains(string(none), k) }) {
		t.Errorf("%s, %v", none, err)
	}
}
