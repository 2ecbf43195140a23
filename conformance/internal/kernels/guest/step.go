// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
)

// userID is the user and the group of the ordinary user; the disk has them in
// its /etc/passwd.
const userID = 1000

// run carries out a step, in the control group of its user.
func run(s wire.Step) wire.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(s.Seconds)*time.Second)
	defer cancel()
	home, group := "/root", "/sys/fs/cgroup/root/session"
	c := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true}
	if s.User {
		home, group = "/home/tester", delegated+"/session"
		c.SysProcAttr.Credential = &syscall.Credential{Uid: userID, Gid: userID}
	}
	c.Dir = home
	c.Env = []string{"HOME=" + home, "PATH=/bin:/sbin", "TERM=dumb", "USER=" + map[bool]string{false: "root", true: "tester"}[s.User]}
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	c.WaitDelay = 5 * time.Second
	o := wire.Outcome{Name: s.Name, Exit: -1}
	dir, err := os.Open(group)
	if err == nil {
		defer dir.Close()
		c.SysProcAttr.CgroupFD = int(dir.Fd())
		started := time.Now()
		err = c.Run()
		o.Milliseconds = time.Since(started).Milliseconds()
	}
	o.Stdout, o.Stderr = stdout.String(), tail(&stderr)
	var exit *exec.ExitError
	switch {
	case err == nil:
		o.Exit = 0
	case errors.As(err, &exit) && ctx.Err() == nil:
		o.Exit = exit.ExitCode()
	case ctx.Err() != nil:
		o.Stderr += "\nkilled after " + strconv.Itoa(s.Seconds) + " s\n"
	default:
		o.Stderr += "\n" + err.Error() + "\n"
	}
	return o
}
