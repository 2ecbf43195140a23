// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
	"github.com/caisson-sandbox/caisson/core/selector"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// Hosting starts backend plugins. The lean caisson has none: where a command
// needs a plugin it executes caisson-full, which has.
type Hosting interface {
	// Start starts a plugin, which must be trusted. What it says goes to log;
	// it may not bear one of the reserved names.
	Start(ctx context.Context, found registry.Plugin, log func(string), reserved []string) (Running, error)
	// Attach uses a plugin that runs under a debugger and wrote the file.
	Attach(ctx context.Context, file string, reserved []string) (Running, error)
}

// Running is a plugin that was started, until it is closed.
type Running interface {
	backend.Backend
	Close() error
}

// reattach begins the value of --plugin that names a file instead of a program.
const reattach = "reattach:"

// builtIn are the names of the built-in backends.
func builtIn() []string {
	var names []string
	for _, b := range sandbox.Backends() {
		names = append(names, b.Info().Name)
	}
	return names
}

// policyInput is the standard input for a policy. What is read is kept, since
// the program that the command may be handed over to will read it again.
func (p *program) policyInput() io.Reader { return &kept{p.stdin, &p.consumed} }

// kept is a file of which what is read is kept. It is a file still, so that
// who reads it can see what kind of file it is.
type kept struct {
	*os.File
	into *bytes.Buffer
}

func (k *kept) Read(b []byte) (int, error) {
	n, err := k.File.Read(b)
	k.into.Write(b[:n])
	return n, err
}

// startPlugin starts one plugin. It is ended by endPlugins. Without hosting it
// hands the command over, and returns only where that fails.
func (p *program) startPlugin(ctx context.Context, found registry.Plugin, verbose bool) (Running, error) {
	if err := found.Usable(); err != nil {
		return nil, err
	}
	if p.hosting == nil {
		return nil, p.handOver("the backend plugin " + diag.Quote(found.Name) + " is needed")
	}
	log := func(string) {}
	if verbose {
		log = p.say
	}
	b, err := p.hosting.Start(ctx, found, log, builtIn())
	if err != nil {
		return nil, err
	}
	p.running = append(p.running, b)
	return b, nil
}

// endPlugins ends the plugins that were started. No command of a sandbox may
// run before.
func (p *program) endPlugins() {
	for _, b := range p.running {
		_ = b.Close() // nothing is left to be done about it
	}
	p.running = nil
}

// named starts what --plugin or --backend name and returns the options that
// choose it; without either the built-in backends are meant.
func (p *program) named(ctx context.Context, f *flags) (sandbox.Options, error) {
	o := sandbox.Options{Prefer: f.backend}
	automatic := f.backend == "" || f.backend == "auto"
	var b Running
	var err error
	switch {
	case f.plugin != "":
		b, err = p.startNamed(ctx, f.plugin, f.verbose)
		if err == nil && !automatic && b.Info().Name != f.backend {
			err = diag.New(diag.UsageInvalid, "--plugin names the backend "+b.Info().Name+", --backend "+diag.Quote(f.backend), "leave one of them out")
		}
	case automatic || slices.Contains(builtIn(), f.backend):
		return o, nil
	default:
		var found registry.Plugin
		found, err = registry.Default().Find(path.Base(f.backend))
		if d, ok := errors.AsType[*diag.Diagnostic](err); ok && d.Code == diag.PluginUnknown {
			return o, nil // the selector says which there are
		}
		if err == nil {
			b, err = p.startPlugin(ctx, found, f.verbose)
		}
		if err == nil && b.Info().Name != f.backend && path.Base(b.Info().Name) != f.backend {
			err = diag.New(diag.BackendUnknown, "the plugin "+diag.Quote(found.Path)+" is the backend "+b.Info().Name+", not "+diag.Quote(f.backend), "")
		}
	}
	if err != nil {
		return o, err
	}
	o.Backends, o.Prefer = []backend.Backend{b}, b.Info().Name
	return o, nil
}

// startNamed starts the plugin of a path, or attaches to the one of a file.
func (p *program) startNamed(ctx context.Context, word string, verbose bool) (Running, error) {
	if file, ok := strings.CutPrefix(word, reattach); ok {
		if p.hosting == nil {
			return nil, p.handOver("a backend plugin is needed")
		}
		b, err := p.hosting.Attach(ctx, file, builtIn())
		if err == nil {
			p.running = append(p.running, b)
		}
		return b, err
	}
	found, err := registry.Default().At(word)
	if err != nil {
		return nil, err
	}
	return p.startPlugin(ctx, found, verbose)
}

// prepare prepares the sandbox of a policy with the backend that the flags
// name. Where none is named, and no built-in backend upholds the policy, the
// trusted plugins are weighed too.
func (p *program) prepare(ctx context.Context, f *flags, wanted policy.Policy, more sandbox.Options) (*sandbox.Prepared, error) {
	if more.Backends != nil { // those of recorded facts
		more.Prefer = f.backend
		return sandbox.Prepare(ctx, wanted, &more)
	}
	chosen, err := p.named(ctx, f)
	if err != nil {
		return nil, err
	}
	o := more
	o.Backends, o.Prefer = chosen.Backends, chosen.Prefer
	prepared, err := sandbox.Prepare(ctx, wanted, &o)
	_, refused := errors.AsType[*sandbox.Refusal](err)
	if !refused || o.Backends != nil || o.Prefer != "auto" && o.Prefer != "" || !registry.Default().Any() {
		return prepared, err
	}
	if p.hosting == nil && !p.canHandOver() {
		return prepared, err // the refusal says what is missing; plugins are no remedy here
	}
	plugins, failed := p.startAll(ctx, f.verbose)
	if failed != nil {
		return prepared, failed
	}
	if len(plugins) == 0 {
		return prepared, err
	}
	o.Backends = append(sandbox.Backends(), plugins...)
	return sandbox.Prepare(ctx, wanted, &o)
}

// startAll starts the trusted plugins, in the order of their names. One that
// fails is said and left out.
func (p *program) startAll(ctx context.Context, verbose bool) ([]backend.Backend, error) {
	list, err := registry.Default().List()
	if err != nil {
		return nil, err
	}
	var started []backend.Backend
	for _, found := range list {
		if found.State != registry.Trusted {
			continue
		}
		if p.hosting == nil {
			return nil, p.handOver("a backend plugin is to be weighed")
		}
		b, err := p.startPlugin(ctx, found, verbose)
		if err != nil {
			p.complain(err)
			continue
		}
		started = append(started, b)
	}
	return started, nil
}

// weigh probes the built-in backends and the plugins that run.
func (p *program) weigh(ctx context.Context) []selector.Candidate {
	all := sandbox.Backends()
	for _, b := range p.running {
		all = append(all, b)
	}
	return sandbox.Probe(ctx, all)
}
