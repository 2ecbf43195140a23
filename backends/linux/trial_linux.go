// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// emptyPolicy is the policy of the trial: the sandbox itself, no workspace.
const emptyPolicy = `{"format":1,"os":"linux","home":"/","workspace":["/"],"network":{"mode":"offline"},"env":{"inherit":"clean"}}`

// planner is what makes the plan of a trial.
type planner func(Facts, *policy.Resolved) (*plan.Plan, error)

// try makes a sandbox on this host, unless one was made since the boot under
// the same circumstances, which the file name in the state directory tells. Only
// success is remembered: who has just followed a remedy must see it work.
func (f *Facts) try(ctx context.Context, o Options, name string, with planner) (Trial, error) {
	if f.Nested || f.Landlock == 0 {
		return Trial{}, nil // out of the question
	}
	if o.Try == nil {
		return Trial{Message: "nothing can execute plans here"}, nil
	}
	key := f.circumstances()
	if o.StateDir != "" && !o.Anew && remembered(o.StateDir, name, key) {
		return Trial{OK: true}, nil
	}
	if err := ctx.Err(); err != nil {
		return Trial{}, err
	}
	none, err := policy.DecodeResolved([]byte(emptyPolicy))
	if err != nil {
		return Trial{}, fmt.Errorf("the policy of the trial: %w", err)
	}
	p, err := with(*f, none)
	if err != nil {
		return Trial{}, fmt.Errorf("plan the trial: %w", err)
	}
	t := outcome(o.Try(p))
	switch {
	case o.StateDir == "":
	case t.OK:
		remember(o.StateDir, name, key)
	case o.Anew:
		_ = os.Remove(filepath.Join(o.StateDir, name)) // what is not there need not be forgotten
	}
	return t, nil
}

func outcome(err error) Trial {
	if err == nil {
		return Trial{OK: true}
	}
	t := Trial{Message: err.Error()}
	var at interface{ At() (step, entry string) }
	if errors.As(err, &at) {
		t.Step, t.Entry = at.At()
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		t.Errno = unix.ErrnoName(errno)
	}
	return t
}

// circumstances is everything that the outcome of a trial depends on: the boot,
// the kernel, who asks, the program (security modules go by its path), the
// container and what this process is confined by already.
func (f *Facts) circumstances() string {
	parts := []string{
		"2", setting("/proc/sys/kernel/random/boot_id"), f.Kernel, strconv.Itoa(f.UID), strconv.Itoa(f.GID),
		setting("/proc/self/attr/current"),
	}
	program, err := os.Executable()
	if err != nil {
		program = "/proc/self/exe"
	}
	parts = append(parts, program)
	for _, name := range []string{program, "/proc/self/ns/mnt", "/proc/self/ns/user"} {
		var st unix.Stat_t
		if unix.Stat(name, &st) == nil {
			parts = append(parts, strconv.FormatUint(st.Ino, 10), strconv.FormatInt(st.Size, 10))
		}
	}
	for _, option := range []int{unix.PR_GET_SECCOMP, unix.PR_GET_NO_NEW_PRIVS} {
		v, err := unix.PrctlRetInt(option, 0, 0, 0, 0)
		if err != nil {
			v = -1
		}
		parts = append(parts, strconv.Itoa(v))
	}
	parts = append(parts, f.confinement()...)
	for i, p := range parts {
		parts[i] = strconv.Quote(p)
	}
	return strings.Join(parts, "\n") + "\n"
}

// trialFile is where a success of linux/namespaces is remembered, in caisson's
// state directory, which no command can write to or see; fenceTrialFile is that
// of linux/landlock.
const (
	trialFile      = "trial"
	fenceTrialFile = "trial-landlock"
)

// remembered reports whether the file holds key. A file that somebody else
// could have written is not believed.
func remembered(stateDir, name, key string) bool {
	fd, err := unix.Open(filepath.Join(stateDir, name), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode != unix.S_IFREG|0o600 || int(st.Uid) != os.Geteuid() || st.Size != int64(len(key)) {
		return false
	}
	text := make([]byte, len(key)+1)
	n, err := unix.Read(fd, text)
	return err == nil && string(text[:n]) == key
}

// remember writes the file anew. Failing to is no error: the next probe tries
// again. Writers at the same time leave one whole file.
func remember(stateDir, name, key string) {
	if os.MkdirAll(stateDir, 0o700) != nil {
		return
	}
	file, err := os.CreateTemp(stateDir, name+"-*")
	if err != nil {
		return
	}
	_, err = file.WriteString(key)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(stateDir, name))
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the error above is the one that matters
	}
}
