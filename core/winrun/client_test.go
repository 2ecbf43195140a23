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
	if a, err := c.Open(aPlan(), `C:\s`); err != nil || !a.Job {
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
	if _, err := c.Open(aPlan(), ""); err != nil {
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
		if _, err := c.Open(aPlan(), ""); err == nil {
			t.Errorf("%s: taken", name)
		}
		// Nobody answers any more, so this must not wait for an answer.
		if err := c.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}
