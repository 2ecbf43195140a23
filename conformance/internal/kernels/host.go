// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
)

// ordinary is the user of this host that stands for an ordinary one: Debian's
// "games", which is everywhere and runs nothing.
const ordinary = 5

// here carries out the steps of a cell on this host. What an ordinary user
// runs lies outside of the temporary directories, which are private inside.
func (r *runner) here(ctx context.Context, c cell) (result, error) {
	if os.Getuid() != 0 {
		return result{}, errors.New("only root becomes both users")
	}
	p, err := r.programs(ctx, runtime.GOARCH)
	if err != nil {
		return result{}, err
	}
	home, err := os.MkdirTemp("/var/lib", "caisson-kernels-*")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(home)
	work := filepath.Join(home, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		return result{}, err
	}
	caisson, docker := filepath.Join(home, "caisson"), filepath.Join(home, "docker-like")
	if err := errors.Join(copyFile(p.caisson, caisson, 0o755), copyFile(p.docker, docker, 0o755), os.Chmod(home, 0o755)); err != nil {
		return result{}, err
	}
	if c.user {
		if err := errors.Join(os.Chown(home, ordinary, ordinary), os.Chown(work, ordinary, ordinary)); err != nil {
			return result{}, err
		}
	}
	var outcomes []wire.Outcome
	for _, s := range c.steps(caisson, docker, work, r.scope) {
		outcomes = append(outcomes, step(ctx, s, home))
	}
	return newResult(c, outcomes)
}

func step(ctx context.Context, s wire.Step, home string) wire.Outcome {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Seconds)*time.Second)
	defer cancel()
	argv := s.Argv
	if s.User {
		id := strconv.Itoa(ordinary)
		argv = append([]string{"setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--"}, argv...)
	}
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Dir, c.WaitDelay = home, 5*time.Second
	c.Env = []string{"HOME=" + home, "PATH=/usr/local/bin:/usr/bin:/bin", "TERM=dumb"}
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	started := time.Now()
	err := c.Run()
	o := wire.Outcome{Name: s.Name, Milliseconds: time.Since(started).Milliseconds(), Stdout: stdout.String(), Stderr: stderr.String()}
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		o.Exit = exit.ExitCode()
	default:
		o.Exit, o.Stderr = -1, o.Stderr+fmt.Sprintln(err)
	}
	return o
}
