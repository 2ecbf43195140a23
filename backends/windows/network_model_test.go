// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

// This file judges the filters of plans by a model of the platform that filters
// that shares nothing with what makes them: a filter is for a layer, all of its
// conditions must hold, a block anywhere wins, and where no filter holds nothing
// is blocked. It knows no other conditions than those that plans have.

// An effort is what a program of an account asks of the network.
type effort struct {
	layer    string
	protocol int    // of IP: 6 is TCP, 17 UDP
	address  string // of the far end
	port     int
	raw      bool
}

// goesThrough says whether filters let an effort of the account through, where
// setup gave it a port.
func goesThrough(t *testing.T, filters []plan.WindowsFilter, own int, e effort) bool {
	t.Helper()
	for _, f := range filters {
		if f.Do != "block" {
			t.Fatalf("a filter does %q", f.Do)
		}
		holds := f.Layer == e.layer
		for i := 0; holds && i < len(f.If); i++ {
			holds = condition(t, f.If[i], own, e)
		}
		if holds {
			return false
		}
	}
	return true
}

func condition(t *testing.T, text string, own int, e effort) bool {
	t.Helper()
	key, want, _ := strings.Cut(text, "=")
	field, differs := strings.CutSuffix(key, "!")
	number := func(have int) bool { n, err := strconv.Atoi(want); return err == nil && n == have }
	same := false
	switch field {
	case "raw":
		return e.raw
	case "user":
		same = want == "{account}"
	case "proto":
		same = number(e.protocol)
	case "raddr":
		same = want == e.address
	case "rport":
		same = want == "{port}" && e.port == own || number(e.port)
	default:
		t.Fatalf("the model does not know the condition %q", text)
	}
	return same != differs
}

const (
	connectV4, connectV6 = "ALE_AUTH_CONNECT_V4", "ALE_AUTH_CONNECT_V6"
	ownPort              = 31337
)

// efforts are what is tried: the whole of each way in which a connection can
// differ from the one that is meant, every address that differs from 127.0.0.1
// in a bit, and many that differ in more.
func efforts() []effort {
	var list []effort
	for port := 1; port <= 65535; port++ { // the meant one among them
		list = append(list, effort{layer: connectV4, protocol: 6, address: "127.0.0.1", port: port})
	}
	for protocol := range 256 {
		if protocol != 6 {
			list = append(list, effort{layer: connectV4, protocol: protocol, address: "127.0.0.1", port: ownPort})
		}
	}
	addresses := []string{"0.0.0.0", "127.0.0.2", "127.255.255.255", "10.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "93.184.216.34"}
	for bit := range 32 {
		a := uint32(0x7f000001) ^ 1<<bit
		addresses = append(addresses, fmt.Sprintf("%d.%d.%d.%d", a>>24, a>>16&255, a>>8&255, a&255))
	}
	random := rand.New(rand.NewPCG(36, 64))
	for range 1000 {
		a := random.Uint32()
		addresses = append(addresses, fmt.Sprintf("%d.%d.%d.%d", a>>24, a>>16&255, a>>8&255, a&255))
	}
	for _, a := range addresses {
		for _, protocol := range []int{6, 17} {
			for _, port := range []int{ownPort, 53, 443, 1 + random.IntN(65535)} {
				list = append(list, effort{layer: connectV4, protocol: protocol, address: a, port: port})
			}
		}
	}
	// A socket of the newer protocol reaches 127.0.0.1 by a mapped address. At
	// which layer the system asks is its own affair.
	for _, a := range []string{"::1", "::", "::ffff:127.0.0.1", "::127.0.0.1", "fe80::1", "2606:2800:220:1::1"} {
		for _, protocol := range []int{6, 17, 58} {
			list = append(list, effort{layer: connectV6, protocol: protocol, address: a, port: ownPort})
		}
	}
	for _, family := range []string{"V4", "V6"} {
		for _, protocol := range []int{6, 17, 132} {
			list = append(list, effort{layer: "ALE_AUTH_LISTEN_" + family, protocol: protocol},
				effort{layer: "ALE_AUTH_RECV_ACCEPT_" + family, protocol: protocol, address: "127.0.0.1", port: ownPort})
		}
	}
	return append(list, effort{layer: "ALE_RESOURCE_ASSIGNMENT_V4", protocol: 1}, effort{layer: "ALE_RESOURCE_ASSIGNMENT_V6", protocol: 58},
		effort{layer: "ALE_RESOURCE_ASSIGNMENT_V4", raw: true}, effort{layer: "ALE_RESOURCE_ASSIGNMENT_V6", raw: true})
}

// through are the efforts that filters let through.
func through(t *testing.T, filters []plan.WindowsFilter) []effort {
	t.Helper()
	var list []effort
	for _, e := range efforts() {
		if goesThrough(t, filters, ownPort, e) {
			list = append(list, e)
		}
	}
	return list
}

// toTheProxy is the one thing that commands may reach.
func toTheProxy() effort {
	return effort{layer: connectV4, protocol: 6, address: "127.0.0.1", port: ownPort}
}

// TestOnePort: the filters of an allowlist leave TCP to one port of 127.0.0.1 and
// nothing else, those of an offline plan nothing, and without filters everything
// would go through.
func TestOnePort(t *testing.T) {
	t.Parallel()
	if got, all := len(through(t, nil)), len(efforts()); got != all || got < 70000 {
		t.Fatalf("without filters %d of %d go through, so the test shows nothing", got, all)
	}
	f := TypicalFacts("amd64")
	for _, tier := range []string{AccountName, LeanName} {
		w := prepared(t, tier, f, resolve(t, recorded.Windows(), listed)).Windows
		if got := through(t, w.WFP); !slices.Equal(got, []effort{toTheProxy()}) {
			t.Errorf("%s: what goes through is %+v", tier, got[:min(len(got), 5)])
		}
		offline := prepared(t, tier, f, resolve(t, recorded.Windows(), nil)).Windows
		if got := through(t, offline.WFP); len(got) > 0 {
			t.Errorf("%s, offline: what goes through is %+v", tier, got[:min(len(got), 5)])
		}
	}
}

// TestOnePortMutations takes each filter away, and changes each condition: the
// model alone notices all of them, and so does who reads plans.
func TestOnePortMutations(t *testing.T) {
	t.Parallel()
	p := prepared(t, AccountName, TypicalFacts("amd64"), resolve(t, recorded.Windows(), listed))
	whole := p.Windows.WFP
	if len(whole) != 12 {
		t.Fatalf("%d filters", len(whole))
	}
	kill := func(name string, filters []plan.WindowsFilter) {
		t.Helper()
		got := through(t, filters)
		if slices.Equal(got, []effort{toTheProxy()}) {
			t.Errorf("%s: the model sees no difference", name)
		}
		w := *p.Windows
		w.WFP = filters
		changed := *p
		changed.Windows = &w
		if changed.Validate() == nil {
			t.Errorf("%s: it is a valid plan", name)
		}
	}
	for i, f := range whole {
		name := f.Layer + " " + strings.Join(f.If, " ")
		kill("without "+name, slices.Delete(slices.Clone(whole), i, i+1))
		if len(f.If) < 2 {
			continue
		}
		for _, text := range mutantConditions(f.If[1]) {
			list := slices.Clone(whole)
			list[i].If = []string{f.If[0], text}
			kill(name+" as "+text, list)
		}
	}
	// As one filter the three conditions would have to differ all at once.
	at := slices.IndexFunc(whole, func(f plan.WindowsFilter) bool { return f.Layer == connectV4 })
	one := slices.Clone(whole)
	one[at].If = []string{"user={account}", "proto!=6", "raddr!=127.0.0.1", "rport!={port}"}
	kill("the three as one", slices.Delete(one, at+1, at+3))
}

// mutantConditions changes a condition: what it compares with, and how.
func mutantConditions(text string) []string {
	if text == "raw" {
		return []string{"proto=255"}
	}
	list := []string{strings.Replace(text, "!=", "=", 1)}
	for from, to := range map[string]string{"!=6": "!=17", "=1": "=6", "=58": "=6", "!=127.0.0.1": "!=127.0.0.2", "!={port}": "!=31338"} {
		if strings.HasSuffix(text, from) && (strings.Contains(text, "!") || !strings.Contains(from, "!")) {
			list = append(list, strings.TrimSuffix(text, from)+to)
		}
	}
	return slices.DeleteFunc(list, func(m string) bool { return m == text })
}
