// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestPasswordDrift: an account whose password somebody replaced gets the sealed
// one again, and is enabled after all was verified.
func TestPasswordDrift(t *testing.T) {
	t.Parallel()
	f := newFakeSystem()
	if err := Setup(f, request(), nil); err != nil {
		t.Fatal(err)
	}
	made := f.state()
	const name = "caisson-a1b2c3d-off0"
	f.accounts[name].password = "another"
	if f.state() == made {
		t.Fatal("nothing drifted, so the test shows nothing")
	}
	f.reboot()
	if err := Setup(f, request(), nil); err != nil {
		t.Fatal(err)
	}
	if f.state() != made {
		t.Errorf("after the repair\n%s\nbefore\n%s", f.state(), made)
	}
	var did []string
	for _, c := range f.calls {
		if strings.Contains(c, "account") || strings.Contains(c, "password") {
			did = append(did, c)
		}
	}
	if want := []string{"enable-account " + name + " false", "set-password " + name, "enable-account " + name + " true"}; !slices.Equal(did, want) {
		t.Errorf("it did %q, want %q", did, want)
	}
}

// TestLargerPool: setup that is run again with more accounts makes these, the
// log says so, and teardown removes all.
func TestLargerPool(t *testing.T) {
	t.Parallel()
	f := newFakeSystem()
	before := f.state()
	if err := Setup(f, request(), nil); err != nil {
		t.Fatal(err)
	}
	larger := request()
	larger.Setup.Offline++
	larger.Passwords["caisson-a1b2c3d-off2"] = strings.Repeat("z", 40)
	larger.Digest = Digest(larger.Setup.Changes())
	if err := Setup(f, larger, nil); err != nil {
		t.Fatal(err)
	}
	log, err := f.Log("a1b2c3d")
	if err != nil {
		t.Fatal(err)
	}
	if o, err := Recorded(log); err != nil || o.Offline != larger.Setup.Offline || f.accounts["caisson-a1b2c3d-off2"] == nil || f.accounts["caisson-a1b2c3d-off2"].Disabled {
		t.Errorf("the larger pool: %+v, %v", o, err)
	}
	if err := Teardown(f, larger.Setup, nil); err != nil {
		t.Fatal(err)
	}
	if after := f.state(); after != before {
		t.Errorf("left after teardown:\n%s\nbefore setup:\n%s", after, before)
	}
}

// TestFiltersThatStopNothing: filters that are read back and stop nothing are
// noticed by trying, and no offline account stays enabled.
func TestFiltersThatStopNothing(t *testing.T) {
	t.Parallel()
	f := newFakeSystem()
	f.leaks = true
	if err := Setup(f, request(), nil); err == nil || !strings.Contains(err.Error(), "reaches the network") {
		t.Errorf("setup: %v", err)
	}
	for _, name := range slices.Concat(request().Setup.Accounts(plan.PoolOffline), request().Setup.Accounts(plan.PoolProxy)) {
		if !f.accounts[name].Disabled {
			t.Errorf("%s is enabled", name)
		}
	}
	log, err := f.Log("a1b2c3d")
	if err != nil || log[len(log)-1].State == "complete" {
		t.Errorf("the setup is called complete, %v", err)
	}
	f.leaks = false
	if err := Setup(f, request(), nil); err != nil {
		t.Errorf("once they stop it: %v", err)
	}
}

// TestPoolIsAdded: a setup from before there were accounts of the proxy stands as
// it is, and one that is run again makes them and touches no other account.
func TestPoolIsAdded(t *testing.T) {
	t.Parallel()
	f := newFakeSystem()
	before := f.state()
	old := request()
	old.Setup.Proxy = 0
	for _, name := range request().Setup.Accounts(plan.PoolProxy) {
		delete(old.Passwords, name)
	}
	old.Digest = Digest(old.Setup.Changes())
	if err := Setup(f, old, nil); err != nil {
		t.Fatal(err)
	}
	// Its log does not know the word.
	f.logs["a1b2c3d"][0] = strings.Replace(f.logs["a1b2c3d"][0], `\"proxy\":0,`, "", 1)
	log, err := f.Log("a1b2c3d")
	if err != nil || strings.Contains(log[0].Detail, "proxy") {
		t.Fatalf("%+v, %v", log[0], err)
	}
	o, err := Recorded(log)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Status(f, o); err != nil || s.State != "ready" || s.Proxy != 0 || s.Offline != 2 {
		t.Errorf("the older setup: %+v, %v", s, err)
	}
	f.reboot()
	if err := Setup(f, request(), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.calls {
		if !strings.Contains(c, "px") && !strings.HasPrefix(c, "make-dir") && !strings.HasPrefix(c, "add-") && c != "log" {
			t.Errorf("it did %s", c)
		}
		if strings.Contains(c, "-off") || strings.Contains(c, "-on") {
			t.Errorf("it did %s", c)
		}
	}
	if s, err := Status(f, request().Setup); err != nil || s.State != "ready" || s.Proxy != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := Teardown(f, request().Setup, nil); err != nil || f.state() != before {
		t.Errorf("left after teardown, %v:\n%s\nbefore setup:\n%s", err, f.state(), before)
	}
}

// TestFiltersThatStopThePort: an account that does not reach the port that it is
// for does not stay enabled.
func TestFiltersThatStopThePort(t *testing.T) {
	t.Parallel()
	f := newFakeSystem()
	f.deaf = true
	if err := Setup(f, request(), nil); err == nil || !strings.Contains(err.Error(), "does not reach port 31570 of 127.0.0.1") {
		t.Errorf("setup: %v", err)
	}
	for _, name := range request().Setup.Accounts(plan.PoolProxy) {
		if !f.accounts[name].Disabled {
			t.Errorf("%s is enabled", name)
		}
	}
	f.deaf = false
	if err := Setup(f, request(), nil); err != nil {
		t.Errorf("once they leave it: %v", err)
	}
}

// TestPorts: every account of the proxy has a port that no other account of any
// install's same run has, outside of those that systems hand out.
func TestPorts(t *testing.T) {
	t.Parallel()
	for _, install := range []string{"0000000", "a1b2c3d", "fffffff", "00007cf", "00007d0"} {
		o := Options{Install: install, Offline: most, Online: most, Proxy: most}
		seen := map[int]bool{}
		for _, name := range o.AccountNames() {
			port, again := o.Port(name), o.Port(name)
			isProxy := o.PoolOf(name) == plan.PoolProxy
			if port != again || (port != 0) != isProxy || isProxy && (port < 1024 || port >= 49152 || seen[port]) {
				t.Errorf("%s has port %d", name, port)
			}
			seen[port] = true
		}
		if len(seen) != most+1 {
			t.Errorf("%s: %d ports", install, len(seen)-1)
		}
	}
	for _, name := range []string{"", "me", "caisson-a1b2c3d-px2", "caisson-0000000-px0", "caisson-a1b2c3d-px00"} {
		if port := request().Setup.Port(name); port != 0 || request().Setup.PoolOf(name) != "" {
			t.Errorf("%q has port %d", name, port)
		}
	}
	if (Options{Install: "xyz", Proxy: 1}).Port("caisson-xyz-px0") != 0 {
		t.Error("an install that is none has a port")
	}
}
