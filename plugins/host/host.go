// SPDX-License-Identifier: Apache-2.0

// Package host runs backend plugins: it starts the program that the registry
// opened and hashed, speaks the protocol with it, and judges what it answers.
// What it gives is a backend.Backend like any other.
//
// A plugin is code that the user trusts, and may still be broken. So it gets an
// environment of its own, no terminal, a deadline for each answer and a bound
// on everything that it says; its text is escaped; its plans are compared with
// the policy (judge.go). Whatever goes wrong is a refusal with the code
// plugin-failed or plan-invalid. The package executes no plan.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/plugins/internal/backendpb"
	"github.com/caisson-sandbox/caisson/plugins/protocol"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// Options are what a host needs beside the plugin. The zero value is right for
// a program that shows no logs.
type Options struct {
	// Log gets what the plugin says, one escaped line at a time, from any
	// goroutine. Nil drops it.
	Log func(line string)
	// Reserved are names that the plugin may not bear, those of the built-in
	// backends: a plugin is never taken for one of them.
	Reserved []string
	// Timeouts replaces the deadlines of the protocol, for tests of what is
	// slow. Zero fields are the protocol's.
	Timeouts Timeouts
	// System is the operating system, as in GOOS, that plans are asked for;
	// empty is this one. Plans for another are there to be looked at.
	System string
}

// Timeouts bound how long a plugin may take: for the handshake, and for each
// answer.
type Timeouts struct{ Start, Describe, Probe, Prepare time.Duration }

func (t Timeouts) filled() Timeouts {
	or := func(d, standard time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return standard
	}
	return Timeouts{
		or(t.Start, protocol.StartTimeout), or(t.Describe, protocol.DescribeTimeout),
		or(t.Probe, protocol.ProbeTimeout), or(t.Prepare, protocol.PrepareTimeout),
	}
}

// MaxRank bounds the rank of plugins, below that of every built-in backend:
// where both uphold a policy the built-in one is taken, and no plugin started.
const MaxRank = 49

// Plugin is a running plugin. It is a backend.Backend; its methods may be
// called from several goroutines. After Close, or after a call that failed,
// calls fail.
type Plugin struct {
	plugin   registry.Plugin
	info     backend.Info
	client   *goplugin.Client
	runner   *process // nil where a debugged program was attached to
	calls    backendpb.BackendClient
	timeouts Timeouts
	socket   *socketDir

	mu      sync.Mutex
	reports []backend.Report // those given, by which claims are judged
	failure error            // why it was ended
	closing sync.Once
}

// Start starts a plugin that the registry found, and has it describe itself.
// The error is or wraps a *diag.Diagnostic; nothing runs then.
func Start(ctx context.Context, found registry.Plugin, o Options) (*Plugin, error) {
	if err := found.Usable(); err != nil {
		return nil, err
	}
	program, err := registry.Open(found.Path)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	if program.SHA256 != found.Trust.SHA256 {
		found.State, found.Reason = registry.Changed, "it changed just now"
		return nil, found.Usable()
	}
	p := &Plugin{plugin: found, timeouts: o.Timeouts.filled()}
	if p.socket, err = newSocketDir(); err != nil {
		return nil, p.failed("it cannot be given a directory for its socket: " + err.Error())
	}
	p.runner = newProcess(program, p.socket.path, found.Name)
	p.client = goplugin.NewClient(p.config(o, newLogger(o.Log, found.Name)))
	if err := p.connect(ctx, o); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Plugin) config(o Options, l hclog.Logger) *goplugin.ClientConfig {
	return &goplugin.ClientConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: protocol.CookieKey, MagicCookieValue: protocol.CookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{protocol.Major: {"backend": dispensed{}}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		RunnerFunc:       p.runner.runnerFunc,
		SkipHostEnv:      true,
		AutoMTLS:         true,
		StartTimeout:     p.timeouts.Start,
		Logger:           l,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.socket.path},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(protocol.MaxMessage), grpc.MaxCallSendMsgSize(protocol.MaxMessage)),
			grpc.WithMaxHeaderListSize(64 << 10),
		},
	}
}

// dispensed is the backend as go-plugin wants it.
type dispensed struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (dispensed) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("a host serves nothing")
}

func (dispensed) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return backendpb.NewBackendClient(c), nil
}

// connect does the handshake and asks for the description. The library has no
// deadline for all of it, so what takes too long is ended by ending the plugin.
func (p *Plugin) connect(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeouts.Start)
	defer cancel()
	dispensed := make(chan error, 1)
	go func() {
		connection, err := p.client.Client()
		if err == nil {
			var raw any
			if raw, err = connection.Dispense("backend"); err == nil {
				p.calls = raw.(backendpb.BackendClient)
			}
		}
		dispensed <- err
	}()
	var err error
	select {
	case err = <-dispensed:
	case <-ctx.Done():
		if p.runner != nil {
			p.runner.end()
			<-dispensed
		}
		if err = ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("it did not shake hands within %v", p.timeouts.Start)
		}
	}
	if err != nil {
		return p.failed(err.Error() + p.runner.status())
	}
	if err := p.describe(ctx, o.Reserved, cmp.Or(o.System, runtime.GOOS)); err != nil {
		return err
	}
	p.socket.hide() // the connection stands; nobody else is to find it
	return nil
}

func (p *Plugin) describe(ctx context.Context, reserved []string, system string) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeouts.Describe)
	defer cancel()
	answer, err := p.calls.Describe(ctx, &backendpb.DescribeRequest{Minor: protocol.Minor})
	if err != nil {
		return p.broken(ctx, "describe itself", err)
	}
	info, err := backend.DecodeInfo(answer.GetInfo())
	if err != nil {
		return p.misanswered("describes itself", err)
	}
	if slices.Contains(reserved, info.Name) || info.Name == "auto" {
		return p.misanswered("describes itself", fmt.Errorf("it calls itself %s, which is built in", info.Name))
	}
	if !slices.Contains(info.OS, system) {
		return p.misanswered("describes itself", fmt.Errorf("it is for %v, this is %s", info.OS, system))
	}
	info.Rank = min(max(info.Rank, 0), MaxRank)
	p.info = info
	return nil
}

// Info names the backend. Its rank is at most MaxRank.
func (p *Plugin) Info() backend.Info { return p.info }

// Found is the plugin as the registry found it.
func (p *Plugin) Found() registry.Plugin { return p.plugin }

// Close ends the plugin and all that it started, and removes its socket. It
// may be called more than once.
func (p *Plugin) Close() error {
	p.end(diag.New(diag.PluginFailed, "the backend plugin "+p.name()+" was closed", ""))
	p.closing.Do(func() {
		if p.runner != nil {
			p.runner.end()
		}
		p.client.Kill()
		p.socket.remove()
	})
	return nil
}

// end notes why the plugin is of no more use, once, and ends it.
func (p *Plugin) end(why error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		p.failure = why
		if p.runner != nil {
			p.runner.end()
		}
	}
	return p.failure
}

func (p *Plugin) name() string { return diag.Quote(p.plugin.Name) }

// over is the error of a plugin that was ended.
func (p *Plugin) over() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}

// failed ends the plugin for a failure of its process or connection.
func (p *Plugin) failed(why string) error {
	if p.runner != nil {
		if told := p.runner.told(); told != "" {
			why = told
		}
	}
	return p.end(diag.New(diag.PluginFailed, "the backend plugin "+p.name()+" failed: "+printable(why),
		"run it again with -v to see what it says, or choose another backend with --backend"))
}

// misanswered ends the plugin for an answer that it may not give. What the
// error says keeps its code.
func (p *Plugin) misanswered(what string, err error) error {
	d := diag.Diagnostic{Code: diag.PlanInvalid, Message: err.Error()}
	if told, ok := errors.AsType[*diag.Diagnostic](err); ok {
		d = *told
	}
	d.Message = "the backend plugin " + p.name() + " " + what + " as it may not: " + printable(d.Message)
	d.Remedy, d.Grant = "choose another backend with --backend, and tell its author", nil
	return p.end(&d)
}
