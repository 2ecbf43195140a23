// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sandboxexec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// The statuses with which sandbox-exec ends where it executes nothing, see
// sysexits(3). A command may end with them too, but not before the proof.
const (
	exitProfile = 65 // the profile is not valid
	exitApply   = 71 // the kernel did not apply it
)

// Command is a command to start.
type Command struct {
	Path  string // with a slash: this file; else searched in PATH of Env
	Args  []string
	Env   []string
	Dir   string
	Files []*os.File // by descriptor number; nil is closed
	// Foreground hands the terminal at Files[0] to the command's group.
	Foreground bool
	// NewSession makes the command the leader of a session whose terminal is
	// the first of the standard streams that is one.
	NewSession bool
}

// Start starts a command in the box. It returns when the profile is proven to
// be in force and the command was executed; otherwise nothing runs, and the
// error is a *diag.Diagnostic or the context's.
func (b *Box) Start(ctx context.Context, c Command) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.Path == "" { // which is how prove asks for no command
		return nil, diag.New(diag.CommandNotFound, "the command's path is empty", "")
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, diag.New(diag.LaunchFailed, "the sandbox is closed", "")
	}
	b.running.Add(1)
	b.mu.Unlock()
	p, err := b.start(ctx, c)
	if err != nil {
		b.running.Done()
		return nil, err
	}
	b.mu.Lock()
	b.trees = append(b.trees, p.tree)
	closed := b.closed
	b.mu.Unlock()
	go p.reap()
	if closed {
		_ = p.Kill()
		return nil, diag.New(diag.LaunchFailed, "the sandbox was closed", "")
	}
	return p, nil
}

// prove starts the inner stage alone.
func (b *Box) prove() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := b.start(context.Background(), Command{Env: []string{}, Files: []*os.File{null, null, null}})
	if err != nil {
		return err
	}
	_, err = syscall.Wait4(p.pid, nil, 0, nil)
	return err
}

// start makes the process and waits for what its stage says.
func (b *Box) start(ctx context.Context, c Command) (*Process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, failed(err)
	}
	defer r.Close()
	p, err := b.fork(c, w)
	w.Close()
	if err != nil {
		return nil, err
	}
	said, err := listen(ctx, r, b.options.Patience)
	if err == nil {
		if said == saidProven+"\n" {
			return p, nil
		}
		err = p.explain(c, said)
	}
	// What did not prove itself is ended, whatever it is doing.
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	_ = unix.Kill(p.pid, unix.SIGKILL)
	var status syscall.WaitStatus
	for {
		if _, werr := syscall.Wait4(p.pid, &status, 0, nil); werr != syscall.EINTR {
			break
		}
	}
	p.terminal.restore(p.pid, p.tree.hasGroup)
	if errors.Is(err, errSilent) {
		err = silent(status)
	}
	return nil, err
}

// fork executes sandbox-exec with the inner stage.
func (b *Box) fork(c Command, proof *os.File) (*Process, error) {
	keep := max(len(c.Files), 3)
	var closed []int
	b.mu.Lock()
	b.started++
	mark := b.mark() + strconv.Itoa(b.started)
	b.mu.Unlock()
	attr := &syscall.ProcAttr{Env: b.environ(c.Env, mark), Sys: &syscall.SysProcAttr{Setpgid: true}}
	for n := range keep {
		if n >= len(c.Files) || c.Files[n] == nil {
			attr.Files = append(attr.Files, ^uintptr(0))
			closed = append(closed, n)
		} else {
			attr.Files = append(attr.Files, descriptor(c.Files[n]))
		}
	}
	attr.Files = append(attr.Files, descriptor(proof))
	p := &Process{box: b, done: make(chan struct{})}
	switch {
	case c.NewSession:
		attr.Sys = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: terminalOf(c.Files)} // its group is its own, as with Setpgid
	case c.Foreground && len(c.Files) > 0 && c.Files[0] != nil:
		if p.terminal = openTerminal(c.Files[0]); p.terminal != nil {
			p.terminal.handOver(attr)
		}
	}
	core := b.limits.Core
	var paths []string // none: the stage proves and ends
	if c.Path != "" {
		paths = candidates(c.Path, c.Env)
	}
	o := order{
		Proof: keep, Keep: keep, Closed: closed, Allowed: filepath.Join(b.proof, ".caisson-proof-"+filepath.Base(b.dir)),
		Forbidden: filepath.Join(b.dir, "refused"), Offline: b.profile.Network != "host", Dir: c.Dir, Core: core, Paths: paths,
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, failed(err)
	}
	tty := b.options.Terminal
	if c.NewSession && len(c.Files) > 0 {
		tty = TTYName(int(attr.Files[terminalOf(c.Files)]))
	}
	if tty == "" {
		tty = os.DevNull
	}
	args := []string{b.options.Program, "-f", b.profileFile(), "-DTTY=" + tty}
	if b.tmp != "" {
		args = append(args, "-DTMP="+b.tmp)
	}
	if b.options.Proxy > 0 {
		args = append(args, "-DPROXY=localhost:"+strconv.Itoa(b.options.Proxy))
	}
	args = append(append(args, b.options.Stage, StageWord, string(text)), c.Args...)
	p.pid, err = syscall.ForkExec(b.options.Program, args, attr)
	p.tree = newTree(p.pid, "\x00"+mark+"\x00", b.options.System)
	if err != nil {
		p.terminal.restore(p.pid, p.tree.hasGroup)
		if errors.Is(err, unix.ENOENT) {
			return nil, diag.New(diag.LaunchFailed, b.options.Program+" is missing", "it is part of macOS; see whether the system is whole")
		}
		return nil, failed(fmt.Errorf("execute %s: %w", b.options.Program, err))
	}
	return p, nil
}

// mark is the beginning of the variable by which what a command starts is found
// again; the command's number follows. It is no secret and grants nothing.
func (b *Box) mark() string { return "CAISSON_RUN=" + filepath.Base(b.dir) + "." }

// environ adds the mark and the sandbox's own temporary directory.
func (b *Box) environ(env []string, mark string) []string {
	var list []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if name != "CAISSON_RUN" && (b.tmp == "" || name != "TMPDIR" && name != "TMP" && name != "TEMP") {
			list = append(list, v)
		}
	}
	if b.tmp != "" {
		list = append(list, "TMPDIR="+b.tmp, "TMP="+b.tmp, "TEMP="+b.tmp)
	}
	return append(list, mark)
}

// descriptor is the number of an open file. Fd would make it block.
func descriptor(f *os.File) uintptr {
	fd := ^uintptr(0)
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(n uintptr) { fd = n }) // a closed file stays closed inside
	}
	return fd
}

// maxSaid bounds what a stage says, in bytes.
const maxSaid = 4096

// errSilent is the error of a stage that ended before it said anything.
var errSilent = errors.New("the stage said nothing")

// listen reads what the stage says until it executes the command or ends.
func listen(ctx context.Context, r *os.File, patience time.Duration) (string, error) {
	deadline := time.Now().Add(patience)
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })
	defer stop()
	if err := r.SetReadDeadline(deadline); err != nil {
		return "", failed(err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxSaid))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", diag.New(diag.AttestFailed, fmt.Sprintf("the sandbox did not prove within %v that it is in force", patience), "try again; see caisson doctor")
	case err != nil:
		return "", failed(err)
	case len(text) == 0:
		return "", errSilent
	}
	return string(text), nil
}

func failed(err error) error {
	return diag.New(diag.LaunchFailed, fmt.Sprintf("the command could not be started: %v", err), "")
}

// silent explains a process that ended before its stage spoke.
func silent(status syscall.WaitStatus) error {
	switch {
	case status.Exited() && status.ExitStatus() == exitProfile:
		return diag.New(diag.LaunchFailed, "sandbox-exec did not take the profile (status 65): this macOS lacks something that the profile says",
			"attach the output of caisson doctor --json to a report")
	case status.Exited() && status.ExitStatus() == exitApply:
		return diag.New(diag.AlreadyConfined, "macOS refused to apply the sandbox (status 71): most often because this process is confined already",
			"run caisson outside of other sandboxes")
	case status.Signaled():
		return diag.New(diag.AttestFailed, fmt.Sprintf("the sandbox was ended by signal %d before it proved to be in force", status.Signal()), "")
	}
	return diag.New(diag.AttestFailed, fmt.Sprintf("the sandbox ended with status %d before it proved to be in force", status.ExitStatus()),
		"a program that links caisson calls sandbox.Stage at the start of main")
}

// explain makes an error of what the stage said.
func (p *Process) explain(c Command, said string) error {
	last := said
	if rest, ok := strings.CutPrefix(said, saidProven+"\n"); ok {
		last = rest
	}
	word, detail, _ := strings.Cut(strings.TrimSpace(last), " ")
	var number int
	_, _ = fmt.Sscanf(detail, "%d", &number) // 0 where there is none
	_, text, _ := strings.Cut(detail, " ")
	errno := syscall.Errno(number)
	name := diag.Quote(c.Path)
	switch word {
	case saidOpen:
		return diag.New(diag.AttestFailed, "sandbox-exec started a process that is not confined: "+text, "nothing was run; attach the output of caisson doctor --json to a report")
	case saidShut:
		return diag.New(diag.AttestFailed, "the sandbox refuses what the policy allows: "+text, "nothing was run; attach the output of caisson doctor --json to a report")
	case saidDir:
		return diag.New(diag.LaunchFailed, fmt.Sprintf("the directory %s cannot be entered inside: %v", diag.Quote(c.Dir), errno), "choose a directory that the policy shows with -C DIR")
	case saidExec:
		switch {
		case errno == unix.ENOENT && !strings.Contains(c.Path, "/"):
			return diag.New(diag.CommandNotFound, name+" was not found in PATH inside the sandbox", "")
		case errno == unix.ENOENT:
			return diag.New(diag.CommandNotFound, name+", or the interpreter that it names, was not found", "")
		case errno == unix.ENOEXEC:
			return diag.New(diag.CommandNotExec, name+" is not in a format that can be executed", "a script needs a first line such as #!/bin/sh")
		}
		return diag.New(diag.CommandNotExec, fmt.Sprintf("%s cannot be executed: %v", name, errno), "")
	}
	return diag.New(diag.AttestFailed, "the sandbox could not be proven to be in force: "+diag.Quote(strings.TrimSpace(last)), "")
}

// terminalOf is the number of the first standard stream that is a terminal.
func terminalOf(files []*os.File) int {
	for n, f := range files[:min(len(files), 3)] {
		if f == nil {
			continue
		}
		if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
			return n
		}
	}
	return 0 // which the start will refuse
}
