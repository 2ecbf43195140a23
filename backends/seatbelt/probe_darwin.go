// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// emptyPolicy is the policy of the trial: the sandbox itself, no workspace.
const emptyPolicy = `{"format":1,"os":"darwin","home":"/","workspace":["/"],"network":{"mode":"offline"},"env":{"inherit":"clean"}}`

// probe finds the facts of this host.
func probe(ctx context.Context, o Options) (Facts, error) {
	f := Facts{Format: factsFormat, Arch: runtime.GOARCH, UID: os.Geteuid()}
	var err error
	if f.Version, err = unix.Sysctl("kern.osproductversion"); err != nil {
		return Facts{}, fmt.Errorf("read kern.osproductversion: %w", err)
	}
	if f.Build, err = unix.Sysctl("kern.osversion"); err != nil {
		return Facts{}, fmt.Errorf("read kern.osversion: %w", err)
	}
	// TMPDIR is set by launchd to the user's own directory, see confstr(3);
	// who has changed it wants that directory.
	if f.Temp, err = filepath.EvalSymlinks(os.TempDir()); err != nil {
		return Facts{}, fmt.Errorf("find the directory for temporary files: %w", err)
	}
	info, err := os.Stat("/usr/bin/sandbox-exec")
	f.Executable = err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	if !f.Executable {
		return f, nil
	}
	if o.Try == nil {
		f.Trial.Message = "nothing can execute plans here"
		return f, nil
	}
	if err := ctx.Err(); err != nil {
		return Facts{}, err
	}
	none, err := policy.DecodeResolved([]byte(emptyPolicy))
	if err != nil {
		return Facts{}, fmt.Errorf("the policy of the trial: %w", err)
	}
	p, err := compile(f, none, false)
	if err != nil {
		return Facts{}, fmt.Errorf("plan the trial: %w", err)
	}
	if err := o.Try(p); err != nil {
		f.Trial.Message = err.Error()
		f.Nested = os.Getenv("CAISSON") != "" // says why, and is asked where it failed only
	} else {
		f.Trial.OK = true
	}
	return f, nil
}
