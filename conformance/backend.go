// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// Backend returns the target that runs commands as core/sandbox does with one
// backend: its plans are executed and nothing else.
func Backend(b backend.Backend) Target { return backendTarget{b} }

type backendTarget struct{ b backend.Backend }

func (t backendTarget) Info(ctx context.Context) (Info, error) {
	i := t.b.Info()
	info := Info{Name: i.Name, Version: i.Version, Kind: "backend", Has: []Need{NeedOracle, NeedFiles}}
	if !i.OneCommand {
		info.Has = append(info.Has, NeedMany)
	}
	report, err := t.b.Probe(ctx)
	if err != nil {
		return info, fmt.Errorf("the backend cannot look at this host: %w", err)
	}
	if !report.Usable {
		var why []string
		for _, u := range report.Unmet {
			if !slices.Contains(why, u.Reason) {
				why = append(why, u.Reason)
			}
		}
		return info, fmt.Errorf("the backend cannot be used on this host: %s", strings.Join(why, "; "))
	}
	return info, nil
}

// policyOf says a Spec in the words of a policy. Caches are off, so that no
// case leaves a store behind.
func policyOf(s Spec) policy.Policy {
	p := policy.Standard(s.Workspace)
	p.Files.Write = append(p.Files.Write, s.Write...)
	p.Files.Protect = append(p.Files.Protect, s.Protect...)
	p.Files.Hide = append(p.Files.Hide, s.Hide...)
	p.Caches.Mode = "off"
	p.Limits = policy.Limits{Time: s.Timeout, Memory: s.Memory, Processes: s.Processes}
	if s.Policy != nil {
		p = s.Policy(p)
	}
	return p
}

func (t backendTarget) Open(ctx context.Context, s Spec) (sb Sandbox, err error) {
	prepared, err := t.prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	opened, err := prepared.Open(ctx)
	if err != nil {
		return nil, err
	}
	return backendSandbox{opened, s}, nil
}

// prepare does all but making the sandbox. What the backend does not claim is
// tried all the same.
func (t backendTarget) prepare(ctx context.Context, s Spec) (prepared *sandbox.Prepared, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the backend panicked: %v", p)
		}
	}()
	o := &sandbox.Options{Backends: []backend.Backend{t.b}, Prefer: t.b.Info().Name, Environ: s.Environ}
	p := policyOf(s)
	prepared, err = sandbox.Prepare(ctx, p, o)
	var refusal *sandbox.Refusal
	if errors.As(err, &refusal) && prepared != nil {
		for _, u := range refusal.Unmet {
			p.AllowWeaker = append(p.AllowWeaker, u.ID)
		}
		prepared, err = sandbox.Prepare(ctx, p, o)
	}
	return prepared, named(err)
}

// named makes an error that names what the policy asks for and this version
// does not do into a RefusedError.
func named(err error) error {
	var refusal *sandbox.Refusal
	var d *diag.Diagnostic
	if errors.As(err, &refusal) || errors.As(err, &d) && d.Code == diag.ModeUnsupported {
		return &RefusedError{err.Error()}
	}
	return err
}

type backendSandbox struct {
	*sandbox.Sandbox
	spec Spec
}

func (s backendSandbox) Start(ctx context.Context, c Command) (Process, error) {
	// The case ends its commands; the watchdog's context would report a
	// deadline in place of what happened.
	cmd := s.Command(context.WithoutCancel(ctx), c.Args[0], c.Args[1:]...)
	cmd.Dir = s.spec.Workspace
	setStreams(cmd, c)
	cmd.Descriptors = c.Files
	cmd.Foreground = c.Terminal
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &backendProcess{cmd: cmd, sb: s.Sandbox}, nil
}

// setStreams sets the streams that are there: a nil *os.File is no nil Reader.
func setStreams(cmd *sandbox.Cmd, c Command) {
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
}

type backendProcess struct {
	cmd *sandbox.Cmd
	sb  *sandbox.Sandbox
}

func (p *backendProcess) Wait() (Exit, error) {
	err := p.cmd.Wait()
	var exit *sandbox.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Exit{}, err
	}
	r := p.cmd.Result()
	e := Exit{Code: r.Code, Limit: r.Limit}
	if r.Signal != 0 {
		e.Code = 128 + int(r.Signal)
	}
	if r.Denials != nil {
		e.Denied = []string{}
		for _, d := range r.Denials {
			e.Denied = append(e.Denied, d.Target)
		}
	}
	return e, nil
}

func (p *backendProcess) Signal(s os.Signal) error {
	n, ok := s.(syscall.Signal)
	if !ok {
		return errors.ErrUnsupported
	}
	return p.cmd.Signal(n)
}

func (p *backendProcess) Kill() error { return p.cmd.Signal(syscall.SIGKILL) }

// order is what own is told on the command line.
type order struct {
	Backend string   `json:"backend"`
	Spec    Spec     `json:"spec"`
	Args    []string `json:"args"`
}

// own is a caller of the library in a process of its own, which the suite can
// kill: it opens a sandbox and runs one command with its own streams.
func own(args []string, backends []backend.Backend) int {
	var o order
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &o) != nil {
		return 2
	}
	i := slices.IndexFunc(backends, func(b backend.Backend) bool { return b.Info().Name == o.Backend })
	if i < 0 {
		fmt.Fprintf(os.Stderr, "conformance.Main was not given the backend %s\n", o.Backend)
		return 125
	}
	if len(o.Args) == 0 {
		return 0 // it was only asked whether it could
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sb, err := backendTarget{backends[i]}.Open(ctx, o.Spec)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	defer sb.Close()
	process, err := sb.Start(ctx, Command{Args: o.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Terminal: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	// What is typed at the terminal is for the command. The signal is not
	// ignored: the command would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	exit, err := process.Wait()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	return exit.Code
}

// canOwn asks the helper whether it knows the target.
func (r *runner) canOwn() bool {
	if o, ok := r.target.(interface{ ownable() bool }); ok {
		return o.ownable()
	}
	b, ok := r.target.(backendTarget)
	if !ok {
		return false
	}
	text, err := json.Marshal(order{Backend: b.b.Info().Name})
	return err == nil && exec.Command(r.helper[0], append(slices.Clone(r.helper[1:]), "own", string(text))...).Run() == nil
}

// owned returns the target whose sandboxes belong to a process of their own.
func (t backendTarget) owned(helper []string) Target { return ownedTarget{t, helper} }

type ownedTarget struct {
	of     backendTarget
	helper []string
}

func (t ownedTarget) Info(ctx context.Context) (Info, error) { return t.of.Info(ctx) }

func (t ownedTarget) Open(ctx context.Context, s Spec) (Sandbox, error) {
	prepared, err := t.of.prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	return commandSandbox{spec: s, claims: prepared.Plan.Claims, prefix: func(args []string) ([]string, error) {
		text, err := json.Marshal(order{Backend: t.of.b.Info().Name, Spec: s, Args: args})
		if err != nil {
			return nil, err
		}
		return append(slices.Clone(t.helper), "own", string(text)), nil
	}}, nil
}
