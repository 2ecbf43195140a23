// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// How much a plugin may say, in bytes: beside the handshake nothing on its
// standard output, and logs on its standard error.
const (
	maxStdout = 64 << 10
	maxStderr = 1 << 20
)

// process runs a plugin for the library: the file that was hashed, with a
// standard input whose end tells it that the host is gone, no terminal, and
// nothing of the host's environment.
type process struct {
	program *registry.Program
	dir     string // for its socket
	name    string

	cmd            *exec.Cmd
	alive          *os.File // the other end of its standard input
	stdout, stderr *capped
	done           chan struct{} // closed when it was reaped
	waitErr        error

	mu      sync.Mutex
	started bool
	ended   bool
	flooded string
}

func newProcess(program *registry.Program, dir, name string) *process {
	return &process{program: program, dir: dir, name: name, done: make(chan struct{})}
}

// processName is what the library calls a process, and logs under.
func processName(plugin string) string { return "caisson-backend-" + plugin }

// runnerFunc is called by the library with the environment that it wants.
func (p *process) runnerFunc(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
	p.cmd = &exec.Cmd{Env: append(environment(p.dir), cmd.Env...), Dir: rootDir()}
	return p, nil
}

// environment is all that a plugin gets of the host's, and the same for every
// plugin: where it finds programs, whose home it is.
func environment(dir string) []string {
	env := []string{"LANG=C.UTF-8", "TMPDIR=" + dir, "TEMP=" + dir, "TMP=" + dir}
	if home, err := os.UserHomeDir(); err == nil {
		env = append(env, "HOME="+home)
	}
	if runtime.GOOS == "windows" {
		return append(env, "SystemRoot="+os.Getenv("SystemRoot"), "USERPROFILE="+os.Getenv("USERPROFILE"), "PATH="+filepath.Join(os.Getenv("SystemRoot"), "System32"))
	}
	return append(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}

// Start starts the process.
func (p *process) Start(context.Context) error {
	stdin, alive, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	p.alive = alive
	var outs [2]*os.File
	for i, c := range []struct {
		into **capped
		most int64
		what string
	}{{&p.stdout, maxStdout, "standard output"}, {&p.stderr, maxStderr, "standard error"}} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer w.Close()
		outs[i] = w
		*c.into = &capped{file: r, left: c.most, over: func() { p.flood(c.what, c.most) }}
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, outs[0], outs[1]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errors.New("it was ended before it started")
	}
	if err := p.start(); err != nil {
		return fmt.Errorf("it cannot be executed: %w", err)
	}
	p.started = true
	return nil
}

// flood ends a plugin that says too much.
func (p *process) flood(what string, most int64) {
	p.mu.Lock()
	p.flooded = fmt.Sprintf("it wrote more than %d bytes to its %s", most, what)
	p.mu.Unlock()
	p.end()
}

// told is what the process did wrong, or empty.
func (p *process) told() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flooded
}

// status says how the process ended, if it did.
func (p *process) status() string {
	if p == nil {
		return ""
	}
	select {
	case <-p.done:
		if p.waitErr != nil {
			return ": " + p.waitErr.Error()
		}
	default:
	}
	return ""
}

// end kills the plugin and what it started, and waits for it. It may be called
// more than once, and before Start.
func (p *process) end() {
	p.mu.Lock()
	started, first := p.started, !p.ended
	p.ended = true
	p.mu.Unlock()
	if !started {
		return
	}
	if first {
		p.kill()
		p.alive.Close()
	}
	<-p.done
	// What left the process's session may hold the pipes open; nobody listens.
	p.stdout.file.Close()
	p.stderr.file.Close()
}

// Kill is end, for the library.
func (p *process) Kill(context.Context) error { p.end(); return nil }

// Wait waits for the end of the process.
func (p *process) Wait(context.Context) error {
	<-p.done
	return p.waitErr
}

// Stdout is the bounded standard output.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr is the bounded standard error.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Name is what the library logs under.
func (p *process) Name() string { return processName(p.name) }

// ID is the process id, or empty before the start.
func (p *process) ID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.started {
		return ""
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

// Diagnose has nothing to add.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost accepts the address that a plugin names only where it may
// listen: a socket in its directory or, on Windows, a port of this host.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	if runtime.GOOS == "windows" {
		host, _, err := net.SplitHostPort(address)
		if network != "tcp" || err != nil || host != "127.0.0.1" {
			return "", "", fmt.Errorf("it listens on %s %s, where it may not", network, address)
		}
		return network, address, nil
	}
	up := filepath.Dir(address)
	if network != "unix" || filepath.Clean(address) != address || filepath.Dir(up) != p.dir {
		return "", "", fmt.Errorf("it listens on %s %s, where it may not", network, address)
	}
	if info, err := os.Lstat(address); err != nil || info.Mode().Type() != os.ModeSocket {
		return "", "", fmt.Errorf("its address %s is no socket", address)
	}
	return network, address, nil
}

// HostToPlugin changes nothing: both are in one world.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// capped is a stream of bounded length. Beyond it over is called, and the
// stream ends.
type capped struct {
	file *os.File
	left int64
	over func()
}

func (c *capped) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.EOF
	}
	n, err := c.file.Read(b)
	if c.left -= int64(n); c.left <= 0 {
		go c.over() // it waits for the process, and the library for this stream
		return n, io.EOF
	}
	if errors.Is(err, os.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

func (c *capped) Close() error { return c.file.Close() }
