// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// TestConformance judges sandboxes that a client holds through caisson serve: by a
// part of the table, or with -conformance by all that serve can express. The cases of
// terminals and of passed descriptors are about callers that have them to give; this
// one has messages.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes half a minute")
	}
	workspace(t) // skips where there is no sandbox
	c := conformance.Config{Target: serveTarget{}, Parallel: 2, Work: os.Getenv(base)}
	if *judged != "" {
		c.Match, c.Timeout, c.CaseTimeout = expressible(regexp.MustCompile(*judged)), 20*patience, patience
	} else {
		c.Match, c.Timeout, c.Quick = some(), 4*patience, true
	}
	conformance.Test(t, c)
}

// expressible selects the cases that match and that serve can express: not those of a
// terminal of the caller's, nor a reader that goes away (stream-09), who is the client,
// nor an owner that is killed, which the suite takes the command for and TestDeaths does.
func expressible(match *regexp.Regexp) string {
	var ids []string
	for _, c := range conformance.Cases() {
		other := slices.Contains([]string{"stream-09", "tree-06", "tree-07", "residue-07"}, c.ID)
		if match.MatchString(c.ID) && !other && !slices.Contains(c.Needs, conformance.NeedTerminal) {
			ids = append(ids, c.ID)
		}
	}
	return "^(" + strings.Join(ids, "|") + ")$"
}

// some selects the first cases of each guarantee and of the duties.
func some() string {
	const each = 4
	count := map[guarantee.ID]int{}
	var ids []string
	for _, c := range conformance.Cases() {
		if !slices.Contains(c.Needs, conformance.NeedTerminal) && count[c.Guarantee] < each {
			count[c.Guarantee]++
			ids = append(ids, c.ID)
		}
	}
	return "^(" + strings.Join(ids, "|") + ")$"
}

// serveTarget opens each sandbox through a caisson serve of its own.
type serveTarget struct{}

func (serveTarget) Info(context.Context) (conformance.Info, error) {
	return conformance.Info{Name: "serve", Kind: "backend", Has: []conformance.Need{conformance.NeedMany, conformance.NeedOracle, conformance.NeedDenials}}, nil
}

func (serveTarget) Open(_ context.Context, s conformance.Spec) (conformance.Sandbox, error) {
	cmd := exec.Command(program(), "serve")
	cmd.Dir, cmd.Env = s.Workspace, s.Environ
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	sb := &serveSandbox{spec: s, cmd: cmd, in: in, outputs: map[string]map[string]*os.File{}}
	sb.client = serve.NewClient(out, func(line []byte, _ []*os.File) error {
		_, err := in.Write(line)
		return err
	}, sb.output)
	if err := sb.open(); err != nil {
		sb.Close()
		return nil, err
	}
	return sb, nil
}

type serveSandbox struct {
	spec   conformance.Spec
	cmd    *exec.Cmd
	in     io.Closer
	client *serve.Client
	opened struct {
		Sandbox string
		Claims  guarantee.Set
	}
	closing sync.Once

	mu      sync.Mutex
	outputs map[string]map[string]*os.File // by command and stream
	early   []piece                        // of commands that are not known yet
}

type piece struct {
	command, stream string
	data            []byte
}

func (s *serveSandbox) open() error {
	if err := s.client.Call("initialize", map[string]int{"protocol": serve.Protocol}, nil); err != nil {
		return err
	}
	p := policy.Policy{Version: policy.Version, Caches: policy.Caches{Mode: "off"}}
	p.Files = policy.Files{Write: s.spec.Write, Protect: s.spec.Protect, Hide: s.spec.Hide}
	if s.spec.Policy != nil {
		p = s.spec.Policy(p)
	}
	flags := []string{}
	if s.spec.Timeout > 0 {
		flags = append(flags, "--timeout", s.spec.Timeout.String())
	}
	for flag, n := range map[string]int64{"--memory": s.spec.Memory, "--processes": int64(s.spec.Processes)} {
		if n > 0 {
			flags = append(flags, flag, strconv.FormatInt(n, 10))
		}
	}
	err := s.client.Call("sandbox.open", map[string]any{"workspace": []string{s.spec.Workspace}, "flags": flags, "policy": p}, &s.opened)
	var refusal *sandbox.Refusal
	if errors.As(err, &refusal) || refusedWith(err, diag.ModeUnsupported) {
		return &conformance.RefusedError{Reason: err.Error()}
	}
	return err
}

func (s *serveSandbox) Claims() guarantee.Set { return s.opened.Claims }

// Resolved is what the server says that the policy means. The suite asks for it
// where it compares that with what happens.
func (s *serveSandbox) Resolved() *policy.Resolved {
	var answer struct {
		Policy json.RawMessage `json:"policy"`
	}
	if err := s.client.Call("policy.resolve", map[string]string{"sandbox": s.opened.Sandbox}, &answer); err != nil {
		return nil
	}
	resolved, err := policy.DecodeResolved(answer.Policy)
	if err != nil {
		return nil
	}
	return resolved
}

func (s *serveSandbox) Close() error {
	s.closing.Do(func() {
		s.in.Close()
		_ = s.cmd.Wait() // it may have been killed by a case
	})
	return nil
}

// output writes what commands wrote to the files of the case.
func (s *serveSandbox) output(command, stream string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, known := s.outputs[command]
	if !known {
		s.early = append(s.early, piece{command, stream, data})
		return
	}
	if f := files[stream]; f != nil {
		_, _ = f.Write(data) // the case may have closed it
	}
}

func (s *serveSandbox) Start(_ context.Context, c conformance.Command) (conformance.Process, error) {
	p := &serveProcess{sandbox: s, ended: make(chan struct{})}
	params := map[string]any{"sandbox": s.opened.Sandbox, "argv": c.Args, "dir": s.spec.Workspace, "stdin": c.Stdin != nil}
	if err := s.client.Call("command.start", params, &p.started); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.outputs[p.started.Command] = map[string]*os.File{"stdout": copyOf(c.Stdout), "stderr": copyOf(c.Stderr)}
	early := s.early
	s.early = nil
	s.mu.Unlock()
	for _, e := range early {
		s.output(e.command, e.stream, e.data)
	}
	go p.watch()
	if in := copyOf(c.Stdin); in != nil {
		go p.feed(in)
	}
	return p, nil
}

// copyOf is a descriptor of our own: those of a case are closed when it pleases.
func copyOf(f *os.File) *os.File {
	if f == nil {
		return nil
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), f.Name())
}

type serveProcess struct {
	sandbox *serveSandbox
	started struct {
		Command string `json:"command"`
	}
	ended   chan struct{} // closed when the next two are set
	outcome outcome.Outcome
	err     error
}

func (p *serveProcess) feed(in *os.File) {
	defer in.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		m := map[string]any{"command": p.started.Command, "data": buf[:n], "eof": err != nil}
		if failed := p.sandbox.client.Call("command.stdin", m, nil); failed != nil || err != nil {
			return
		}
	}
}

// watch waits for the end, and closes the streams with it: cases read until then.
func (p *serveProcess) watch() {
	p.err = p.sandbox.client.Call("command.wait", p.started, &p.outcome)
	p.sandbox.mu.Lock()
	for _, f := range p.sandbox.outputs[p.started.Command] {
		if f != nil {
			f.Close()
		}
	}
	p.sandbox.outputs[p.started.Command] = map[string]*os.File{}
	p.sandbox.mu.Unlock()
	close(p.ended)
}

func (p *serveProcess) Wait() (conformance.Exit, error) {
	<-p.ended
	e := conformance.Exit{Code: p.outcome.Exit.Code}
	if l := p.outcome.Exit.Limit; l != nil {
		e.Limit = *l
	}
	if p.outcome.Denials != nil {
		e.Denied = []string{}
		for _, d := range p.outcome.Denials {
			e.Denied = append(e.Denied, d.Target)
		}
	}
	return e, p.err
}

func (p *serveProcess) Signal(s os.Signal) error {
	n, ok := s.(syscall.Signal)
	if !ok {
		return errors.ErrUnsupported
	}
	name := strings.TrimPrefix(unix.SignalName(n), "SIG")
	return p.sandbox.client.Call("command.signal", map[string]string{"command": p.started.Command, "signal": name}, nil)
}

// Kill kills the command, as that of a backend in this process does.
func (p *serveProcess) Kill() error { return p.Signal(syscall.SIGKILL) }
