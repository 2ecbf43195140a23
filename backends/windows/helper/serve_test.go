// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	backend "github.com/caisson-sandbox/caisson/backends/windows"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
	"github.com/caisson-sandbox/caisson/core/winrun"

	corebackend "github.com/caisson-sandbox/caisson/core/backend"
)

// typicalPlan is the plan of the standard policy on the typical machine.
func typicalPlan(t *testing.T) *plan.Plan {
	t.Helper()
	return planOf(t, policy.Standard(`C:\Users\me\src\app`))
}

// listPlan is that of a policy with a list of hosts.
func listPlan(t *testing.T) *plan.Plan {
	t.Helper()
	p := policy.Standard(`C:\Users\me\src\app`)
	p.Network.Mode, p.Network.Allow = policy.Allowlist, []string{"example.org:443"}
	return planOf(t, p)
}

func planOf(t *testing.T, asked policy.Policy) *plan.Plan {
	t.Helper()
	r, _, err := asked.Resolve(recorded.Windows())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(backend.TypicalFacts("amd64"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range backend.New(backend.Options{}) {
		if b.Info().Name == backend.AccountName {
			p, err := b.Prepare(t.Context(), corebackend.Request{Policy: r, Facts: raw})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	t.Fatal("no backend")
	return nil
}

// attestation is what a helper reads back that has applied a plan.
func attestation(w *plan.Windows) plan.Attested {
	return plan.Attested{Restricting: w.Token.Restricting, WriteRestricted: true, DenyOnly: w.Token.DenyOnly, Privileges: 1,
		Entries: len(w.ACL) + len(w.Placeholders), Placeholders: len(w.Placeholders), Filters: len(w.WFP), Reaches: w.ToProxy(), Job: true, Desktop: "caisson-x"}
}

type fakeRunner struct {
	mu       sync.Mutex
	log      []string
	attested *plan.Attested // nil: what the plan says
	openErr  error
	port     int // of the account that it leases, 0 where the plan leads to no proxy
	end      map[int]chan uint32
}

func (f *fakeRunner) note(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, s)
}

func (f *fakeRunner) Open(p *plan.Plan, state string, own Own) (plan.Attested, error) {
	f.note("open " + p.Backend + " " + state)
	if f.port != 0 {
		if err := own(f.port); err != nil {
			f.note("no port")
			return plan.Attested{}, err
		}
		f.note("logon")
	}
	if f.attested != nil {
		return *f.attested, f.openErr
	}
	return attestation(p.Windows), f.openErr
}

func (f *fakeRunner) Start(m winrun.Message) (Running, error) {
	f.note("start " + strings.Join(m.Args, " "))
	if m.Path == "absent" {
		return nil, diag.New(diag.CommandNotFound, "absent was not found", "")
	}
	f.end[m.ID] = make(chan uint32, 1)
	return &fakeRunning{f, m.ID, f.end[m.ID]}, nil
}

func (f *fakeRunner) Close() error {
	f.note("close")
	for _, c := range f.end {
		select {
		case c <- 1:
		default:
		}
	}
	return nil
}

type fakeRunning struct {
	f   *fakeRunner
	id  int
	end chan uint32
}

func (r *fakeRunning) PID() int              { return 100 + r.id }
func (r *fakeRunning) Wait() (uint32, error) { return <-r.end, nil }
func (r *fakeRunning) Signal(name string) error {
	r.f.note("signal " + name)
	r.end <- 143
	return nil
}
func (r *fakeRunning) Resize(columns, rows int) error { r.f.note("resize"); return nil }

// startServer runs a server and gives the launcher's side of it.
func startServer(f *fakeRunner) (launcher *winrun.Conn, hangUp func(), ended chan error) {
	f.end = map[int]chan uint32{}
	toHelper, fromLauncher := io.Pipe()
	toLauncher, fromHelper := io.Pipe()
	ended = make(chan error, 1)
	go func() {
		err := Serve(winrun.NewConn(toHelper, fromHelper), f)
		fromHelper.Close()
		ended <- err
	}()
	return winrun.NewConn(toLauncher, fromLauncher), func() { fromLauncher.Close() }, ended
}

func ask(t *testing.T, c *winrun.Conn, m winrun.Message) winrun.Message {
	t.Helper()
	if err := c.Send(m); err != nil {
		t.Fatal(err)
	}
	answer, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func openMessage(t *testing.T, p *plan.Plan) winrun.Message {
	t.Helper()
	text, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return winrun.Message{Kind: winrun.Open, Version: winrun.Version, Plan: text, State: `C:\state`}
}

func TestServe(t *testing.T) {
	t.Parallel()
	f := &fakeRunner{}
	c, _, ended := startServer(f)
	if m := ask(t, c, winrun.Message{Kind: winrun.Start, ID: 1, Args: []string{"early"}}); m.Kind != winrun.Failed {
		t.Errorf("a start without a sandbox: %+v", m)
	}
	if m := ask(t, c, openMessage(t, typicalPlan(t))); m.Kind != winrun.Opened || m.Attested == nil || m.Attested.Filters != 10 {
		t.Fatalf("open: %+v", m)
	}
	if m := ask(t, c, openMessage(t, typicalPlan(t))); m.Kind != winrun.Failed {
		t.Errorf("open twice: %+v", m)
	}
	if m := ask(t, c, winrun.Message{Kind: winrun.Start, ID: 1, Path: "x", Args: []string{"x"}}); m.Kind != winrun.Started || m.PID != 101 {
		t.Errorf("start: %+v", m)
	}
	if m := ask(t, c, winrun.Message{Kind: winrun.Start, ID: 1, Path: "x", Args: []string{"x"}}); m.Kind != winrun.Failed {
		t.Errorf("a number twice: %+v", m)
	}
	if m := ask(t, c, winrun.Message{Kind: winrun.Start, ID: 2, Path: "absent", Args: []string{"absent"}}); m.Kind != winrun.Failed || m.Code != diag.CommandNotFound || m.ID != 2 {
		t.Errorf("a command that is not there: %+v", m)
	}
	if err := c.Send(winrun.Message{Kind: winrun.Resize, ID: 1, Columns: 1, Rows: 1}); err != nil {
		t.Fatal(err)
	}
	if m := ask(t, c, winrun.Message{Kind: winrun.Signal, ID: 1, Signal: "interrupt"}); m.Kind != winrun.Exited || m.Status != 143 || m.ID != 1 {
		t.Errorf("signal: %+v", m)
	}
	if m := ask(t, c, winrun.Message{Kind: winrun.Opened}); m.Kind != winrun.Failed {
		t.Errorf("what only a helper says: %+v", m)
	}
	if m := ask(t, c, winrun.Message{Kind: winrun.Close}); m.Kind != winrun.Closed {
		t.Errorf("close: %+v", m)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestServeLauncherDies: the end of the pipe closes the sandbox, with commands
// that run.
func TestServeLauncherDies(t *testing.T) {
	t.Parallel()
	f := &fakeRunner{}
	c, hangUp, ended := startServer(f)
	ask(t, c, openMessage(t, typicalPlan(t)))
	ask(t, c, winrun.Message{Kind: winrun.Start, ID: 1, Path: "x", Args: []string{"x"}})
	hangUp()
	go func() { // what the helper still says
		for {
			if _, err := c.Receive(); err != nil {
				return
			}
		}
	}()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if f.log[len(f.log)-1] != "close" {
		t.Errorf("it did %q", f.log)
	}
}

// TestServeRefuses: a plan that is not understood, or that was not applied as
// it is, starts nothing.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	p := typicalPlan(t)
	text := string(openMessage(t, p).Plan)
	weak := attestation(p.Windows)
	weak.Restricting = nil
	for name, c := range map[string]struct {
		message winrun.Message
		runner  *fakeRunner
		code    diag.Code
		closes  bool
	}{
		"another version":  {message: winrun.Message{Kind: winrun.Open, Version: 2, Plan: []byte(text)}, code: diag.PlanInvalid},
		"an unknown field": {message: winrun.Message{Kind: winrun.Open, Version: 1, Plan: []byte(strings.Replace(text, `"v":1`, `"v":1,"x":1`, 1))}, code: diag.PlanInvalid},
		"another system":   {message: winrun.Message{Kind: winrun.Open, Version: 1, Plan: []byte(`{"format":1,"backend":"x","os":"linux","arch":"amd64","claims":{},"steps":[]}`)}, code: diag.PlanInvalid},
		"a weaker token":   {message: winrun.Message{Kind: winrun.Open, Version: 1, Plan: []byte(text)}, runner: &fakeRunner{attested: &weak}, code: diag.AttestFailed, closes: true},
		"what fails":       {message: winrun.Message{Kind: winrun.Open, Version: 1, Plan: []byte(text)}, runner: &fakeRunner{openErr: errors.New("no")}, code: diag.LaunchFailed},
	} {
		if c.runner == nil {
			c.runner = &fakeRunner{}
		}
		conn, hangUp, ended := startServer(c.runner)
		if m := ask(t, conn, c.message); m.Kind != winrun.Failed || m.Code != c.code {
			t.Errorf("%s: %+v", name, m)
		}
		if m := ask(t, conn, winrun.Message{Kind: winrun.Start, ID: 1, Args: []string{"x"}}); m.Kind != winrun.Failed {
			t.Errorf("%s: a command starts: %+v", name, m)
		}
		hangUp()
		<-ended
		if closed := strings.Contains(strings.Join(c.runner.log, ","), "close"); closed != c.closes {
			t.Errorf("%s: it did %q", name, c.runner.log)
		}
	}
}

// TestServeOwned: between the lease and the logon the launcher takes the port, and
// whatever else it says or does, nobody logs on.
func TestServeOwned(t *testing.T) {
	t.Parallel()
	open := func(f *fakeRunner, m *winrun.Message) (answer winrun.Message, err error) {
		c, hangUp, ended := startServer(f)
		leased := ask(t, c, openMessage(t, listPlan(t)))
		if leased.Kind != winrun.Leased || leased.Port != f.port {
			t.Errorf("the helper says %+v first", leased)
		}
		if strings.Contains(strings.Join(f.log, ", "), "logon") {
			t.Error("somebody logged on before the port was taken")
		}
		if m != nil {
			answer = ask(t, c, *m)
		}
		hangUp()
		go func() {
			for _, err := c.Receive(); err == nil; _, err = c.Receive() { // what it says to nobody
			}
		}()
		return answer, <-ended
	}
	good := &fakeRunner{port: 22001}
	if answer, err := open(good, &winrun.Message{Kind: winrun.Owned, Port: 22001}); err != nil || answer.Kind != winrun.Opened {
		t.Errorf("%+v, %v", answer, err)
	}
	if got := strings.Join(good.log, ", "); !strings.HasSuffix(got, `C:\state, logon, close`) {
		t.Errorf("it did %s", got)
	}
	for name, m := range map[string]*winrun.Message{
		"another port": {Kind: winrun.Owned, Port: 22002}, "no port": {Kind: winrun.Owned}, "a command": {Kind: winrun.Start, ID: 1, Path: "x"}, "the end": {Kind: winrun.Close}, "nothing": nil,
	} {
		f := &fakeRunner{port: 22001}
		answer, err := open(f, m)
		if m != nil && answer.Kind != winrun.Failed || err != nil {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
		if got := strings.Join(f.log, ", "); !strings.HasSuffix(got, "no port") {
			t.Errorf("%s: it did %s", name, got)
		}
	}
}

// TestServeReaches: a helper that did not see the proxy, or saw more, opens
// nothing.
func TestServeReaches(t *testing.T) {
	t.Parallel()
	p := listPlan(t)
	for name, change := range map[string]func(a *plan.Attested){
		"the proxy was not reached": func(a *plan.Attested) { a.Reaches = false },
		"more was":                  func(a *plan.Attested) { a.Connects = true },
		"a filter is missing":       func(a *plan.Attested) { a.Filters-- },
	} {
		attested := attestation(p.Windows)
		change(&attested)
		f := &fakeRunner{attested: &attested}
		c, hangUp, ended := startServer(f)
		if m := ask(t, c, openMessage(t, p)); m.Kind != winrun.Failed || m.Code != diag.AttestFailed {
			t.Errorf("%s: %+v", name, m)
		}
		hangUp()
		if err := <-ended; err != nil || f.log[len(f.log)-1] != "close" {
			t.Errorf("%s: %v after %q", name, err, f.log)
		}
	}
}

// TestOwnedBothSides has launcher and helper speak to each other: the port is
// taken between the lease and the logon, or nothing is open.
func TestOwnedBothSides(t *testing.T) {
	t.Parallel()
	taken := errors.New("somebody has it")
	for _, fails := range []error{nil, taken} {
		f := &fakeRunner{port: 22001}
		conn, hangUp, ended := startServer(f)
		client := winrun.NewClient(conn)
		a, err := client.Open(listPlan(t), `C:\state`, func(port int) error {
			f.note(fmt.Sprint("own ", port))
			return fails
		})
		if !errors.Is(err, fails) || a.Reaches != (fails == nil) {
			t.Errorf("%v: %+v, %v", fails, a, err)
		}
		if fails == nil {
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		}
		hangUp()
		if fails != nil {
			go func() { _, _ = conn.Receive() }() // what the helper says to nobody
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want := `open windows/account C:\state, own 22001, logon, close`
		if fails != nil {
			want = `open windows/account C:\state, own 22001, no port`
		}
		if got := strings.Join(f.log, ", "); got != want {
			t.Errorf("it did %s, want %s", got, want)
		}
	}
}
