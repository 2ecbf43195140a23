// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"slices"
	"strings"
	"testing"
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
	offline, _ := request().Setup.AccountNames()
	for _, name := range offline {
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
