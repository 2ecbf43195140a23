// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strconv"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// commandSandbox runs each command as a program that runs a program: a foreign
// sandbox, the owner of one, or nothing at all.
type commandSandbox struct {
	spec   Spec
	claims guarantee.Set
	// prefix makes the command line of the tool for that of the helper.
	prefix func(args []string) ([]string, error)
}

func (s commandSandbox) Claims() guarantee.Set { return s.claims }

func (s commandSandbox) Close() error { return nil }

func (s commandSandbox) Start(_ context.Context, c Command) (Process, error) {
	args, err := s.prefix(c.Args)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = s.spec.Workspace, s.spec.Environ
	// Interfaces that hold a nil file would not be nil.
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	given := maps.Clone(c.Leak)
	if given == nil {
		given = map[int]*os.File{}
	}
	maps.Copy(given, c.Files)
	for n, f := range given {
		if n < 3 {
			return nil, errors.New("a granted descriptor has a number below 3")
		}
		for len(cmd.ExtraFiles) < n-2 {
			cmd.ExtraFiles = append(cmd.ExtraFiles, nil)
		}
		cmd.ExtraFiles[n-3] = f
	}
	apart(cmd, c.Terminal)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return commandProcess{cmd}, nil
}

type commandProcess struct{ cmd *exec.Cmd }

func (p commandProcess) Wait() (Exit, error) {
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Exit{}, err
	}
	code := p.cmd.ProcessState.ExitCode()
	if n := endSignal(p.cmd.ProcessState); n != 0 {
		code = 128 + n
	}
	return Exit{Code: code}, nil
}

func (p commandProcess) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

func (p commandProcess) Kill() error { return p.cmd.Process.Kill() }

// bareTarget is no sandbox at all: the control of every case.
type bareTarget struct{}

func (bareTarget) Info(context.Context) (Info, error) { return Info{Name: "none", Kind: "wrap"}, nil }

func (bareTarget) Open(_ context.Context, s Spec) (Sandbox, error) {
	return commandSandbox{spec: s, prefix: func(args []string) ([]string, error) { return args, nil }}, nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
