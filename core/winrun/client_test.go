// SPDX-License-Identifier: Apache-2.0

package winrun

import (
	"errors"
	"io"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// pair gives a client, and the helper's side of its connection.
func pair() (*Client, *Conn, func()) {
	toHelper, fromClient := io.Pipe()
	toClient, fromHelper := io.Pipe()
	return NewClient(NewConn(toClient, fromClient)), NewConn(toHelper, fromHelper), func() { fromHelper.Close(); toHelper.Close() }
}

func aPlan() *plan.Plan {
	return &plan.Plan{Format: plan.Format, Backend: "x", OS: "linux", Arch: "amd64"}
}

// helper answers each message with the next answers.
func helper(t *testing.T, c *Conn, answers ...[]Message) {
	for _, list := range answers {
		if _, err := c.Receive(); err != nil {
			t.Errorf("the client says nothing: %v", err)
			return
		}
		for _, m := range list {
			if err := c.Send(m); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	c, h, _ := pair()
	go helper(t, h,
		[]Message{{Kind: Opened, Version: Version, Attested: &plan.Attested{Job: true}}},
		[]Message{{Kind: Started, ID: 1, PID: 7}},
		[]Message{Failure(2, Start, diag.New(diag.CommandNotFound, "none", ""))},
		[]Message{{Kind: Exited, ID: 1, Status: 3}},
		[]Message{{Kind: Closed}})
	if a, err := c.Open(aPlan(), `C:\s`, nil); err != nil || !a.Job {
		t.Fatalf("%+v, %v", a, err)
	}
	r, err := c.Start(Message{Args: []string{"x"}})
	if err != nil || r.PID != 7 {
		t.Fatalf("%+v, %v", r, err)
	}
	var d *diag.Diagnostic
	if _, err := c.Start(Message{Args: []string{"y"}}); !errors.As(err, &d) || d.Code != diag.CommandNotFound {
		t.Errorf("a command that is not there: %v", err)
	}
	if err := r.Signal("kill"); err != nil {
		t.Fatal(err)
	}
	if status, err := r.Wait(); status != 3 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestHelperDies: whoever waits learns of it.
func TestHelperDies(t *testing.T) {
	t.Parallel()
	c, h, die := pair()
	go func() {
		helper(t, h, []Message{{Kind: Opened, Version: Version, Attested: &plan.Attested{}}}, []Message{{Kind: Started, ID: 1, PID: 7}})
		die()
	}()
	if _, err := c.Open(aPlan(), "", nil); err != nil {
		t.Fatal(err)
	}
	r, err := c.Start(Message{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Wait(); err == nil {
		t.Error("a command whose helper died has a status")
	}
	if _, err := c.Start(Message{}); err == nil {
		t.Error("a command was started without a helper")
	}
	if err := c.Close(); err == nil {
		t.Error("the sandbox was closed without a helper")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]Message{
		"another version": {Kind: Opened, Version: 2, Attested: &plan.Attested{}}, "no word of what was applied": {Kind: Opened, Version: Version},
		"nonsense": {Kind: Started}, "a refusal": Failure(0, "open", errors.New("no")),
	} {
		c, h, _ := pair()
		go helper(t, h, []Message{answer})
		if _, err := c.Open(aPlan(), "", nil); err == nil {
			t.Errorf("%s: taken", name)
		}
		// Nobody answers any more, so this must not wait for an answer.
		if err := c.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}

// proxyPlan is as much of a plan as leads to the proxy.
func proxyPlan() *plan.Plan {
	return &plan.Plan{Format: plan.Format, Backend: "x", OS: "windows", Arch: "amd64", Windows: &plan.Windows{V: 1, Account: &plan.WindowsAccount{Pool: plan.PoolProxy}}}
}

// TestOwnedFirst: the port that the helper names is listened at before the helper
// hears that it may go on.
func TestOwnedFirst(t *testing.T) {
	t.Parallel()
	c, h, die := pair()
	defer die()
	var owned, told int
	answered := make(chan error, 1)
	go func() {
		_, err := h.Receive()
		err = errors.Join(err, h.Send(Message{Kind: Leased, Port: 22001}))
		m, failed := h.Receive()
		if m.Kind == Owned {
			told = m.Port
		}
		answered <- errors.Join(err, failed)
		_ = h.Send(Failure(0, Open, errors.New("enough")))
	}()
	_, err := c.Open(proxyPlan(), "s", func(port int) error {
		select {
		case <-answered:
			t.Error("the helper went on before")
		default:
		}
		owned = port
		return nil
	})
	if err == nil || owned != 22001 {
		t.Errorf("port %d, %v", owned, err)
	}
	if err := <-answered; err != nil || told != 22001 {
		t.Errorf("the helper was told %d, %v", told, err)
	}
}

// TestNotOwned: without the port nothing is opened, whoever is to blame.
func TestNotOwned(t *testing.T) {
	t.Parallel()
	taken := errors.New("somebody has it")
	opened := Message{Kind: Opened, Version: Version, Attested: &plan.Attested{Reaches: true}}
	var d *diag.Diagnostic
	for name, test := range map[string]struct {
		says  []Message
		own   func(int) error
		calls int
		is    error
	}{
		"the port is taken":               {[]Message{{Kind: Leased, Port: 22001}}, func(int) error { return taken }, 1, taken},
		"the helper names none":           {[]Message{opened}, func(int) error { return nil }, 0, nil},
		"the helper names a port 0":       {[]Message{{Kind: Leased}}, func(int) error { return nil }, 0, nil},
		"the helper names no port at all": {[]Message{{Kind: Leased, Port: 65536}}, func(int) error { return nil }, 0, nil},
	} {
		c, h, die := pair()
		go helper(t, h, test.says)
		calls := 0
		_, err := c.Open(proxyPlan(), "s", func(port int) error { calls++; return test.own(port) })
		if err == nil || calls != test.calls || test.is != nil && !errors.Is(err, test.is) || test.is == nil && (!errors.As(err, &d) || d.Code != diag.AttestFailed) {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
		die()
	}
	// A plan and a launcher that do not agree do not even speak to the helper.
	for name, try := range map[string]func(c *Client) error{
		"nobody listens":              func(c *Client) error { _, err := c.Open(proxyPlan(), "s", nil); return err },
		"nobody is to be listened to": func(c *Client) error { _, err := c.Open(aPlan(), "s", func(int) error { return nil }); return err },
	} {
		c, _, die := pair()
		if err := try(c); !errors.As(err, &d) || d.Code != diag.PlanInvalid {
			t.Errorf("%s: %v", name, err)
		}
		die()
	}
	// A helper that asks for a port for another plan is not listened to.
	c, h, die := pair()
	defer die()
	go helper(t, h, []Message{{Kind: Leased, Port: 22001}})
	if _, err := c.Open(aPlan(), "s", nil); !errors.As(err, &d) || d.Code != diag.AttestFailed {
		t.Errorf("a port for a plan without a proxy: %v", err)
	}
}
