// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

// Package sandboxexec starts commands through sandbox-exec(1) of macOS.
//
// A command is started in two steps. sandbox-exec applies the profile and
// executes the inner stage (stage.go), which is the calling program again: it
// proves on a pipe that the profile is in force, in both directions, and then
// executes the command in its place. Whatever goes wrong before that proof
// starts nothing (start.go). A box (box.go) is what the commands of one sandbox
// share; tree.go follows and ends what they start.
//
// Nothing here is special to macOS but the program that is executed, which the
// caller names. So the tests run it on any unix with a program that plays
// sandbox-exec. Under the real one it was CROSS-COMPILED and NEVER RUN.
package sandboxexec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// StageWord is the first argument of the calling program where it is the inner
// stage. It is no secret: who runs it by hand is not confined by it, and the
// stage refuses to go on there.
const StageWord = "caisson-inner-stage"

// order is what the stage is told, as JSON in its second argument. The command
// and its arguments follow.
type order struct {
	Proof     int      `json:"proof"`            // descriptor of the pipe
	Keep      int      `json:"keep"`             // descriptors below are the command's
	Closed    []int    `json:"closed,omitempty"` // but for these, which Go opens at its start
	Allowed   string   `json:"allowed"`
	Forbidden string   `json:"forbidden"`
	Offline   bool     `json:"offline"`
	Dir       string   `json:"dir,omitempty"`
	Core      int64    `json:"core"`
	Paths     []string `json:"paths,omitempty"` // files to try; none: prove and end
}

// What the stage says on the pipe: a word, then details.
const (
	saidProven   = "proven"    // the profile is in force
	saidOpen     = "open"      // it is not: what must be refused was done
	saidShut     = "shut"      // what must be allowed was refused
	saidDir      = "directory" // the command's directory cannot be entered
	saidExec     = "execute"   // the command cannot be executed
	saidConfused = "confused"  // the stage itself failed
)

// Stage does what the arguments of the process say if they begin with
// StageWord, and does not return then. It belongs at the start of main.
func Stage(args []string) {
	if len(args) < 3 || args[1] != StageWord {
		return
	}
	var o order
	if err := json.Unmarshal([]byte(args[2]), &o); err != nil || o.Proof < 3 {
		fmt.Fprintln(os.Stderr, "caisson: the inner stage was started by hand")
		os.Exit(125)
	}
	say := func(word string, err error) {
		line := word + "\n"
		if err != nil {
			var errno syscall.Errno
			errors.As(err, &errno)
			line = fmt.Sprintf("%s %d %s\n", word, int(errno), strings.ReplaceAll(err.Error(), "\n", " "))
		}
		_, _ = unix.Write(o.Proof, []byte(line)) // nobody listens: nothing is started either
	}
	if word, err := o.prove(); err != nil {
		say(word, err)
		os.Exit(125)
	}
	say(saidProven, nil)
	if len(o.Paths) == 0 {
		os.Exit(0)
	}
	word, err := o.execute(args[3:])
	say(word, err)
	os.Exit(126)
}

// prove tries what must be allowed and what must be refused.
func (o *order) prove() (string, error) {
	if err := touch(o.Allowed); err != nil {
		return saidShut, fmt.Errorf("write where the policy allows it: %w", err)
	}
	if err := unix.Unlink(o.Allowed); err != nil {
		return saidShut, fmt.Errorf("remove what was written: %w", err)
	}
	switch err := touch(o.Forbidden); {
	case err == nil:
		return saidOpen, errors.New("a write outside the policy was not refused")
	case !refused(err):
		return saidConfused, fmt.Errorf("write where the policy refuses it: %w", err)
	}
	if !o.Offline {
		return "", nil
	}
	// Nothing listens there: an open network answers so, a shut one before.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		if refused(err) {
			return "", nil
		}
		return saidConfused, fmt.Errorf("make a socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}}); !refused(err) {
		return saidOpen, fmt.Errorf("a connection was not refused: %w", err)
	}
	return "", nil
}

// touch makes a file that must not be there, or opens one that is.
func touch(name string) error {
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func refused(err error) bool { return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) }

// execute becomes the command. It returns where that fails.
func (o *order) execute(args []string) (string, error) {
	limit := unix.Rlimit{Cur: uint64(o.Core), Max: uint64(o.Core)}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return saidConfused, fmt.Errorf("limit core dumps: %w", err)
	}
	if o.Dir != "" {
		if err := unix.Chdir(o.Dir); err != nil {
			return saidDir, err
		}
	}
	if err := o.closeOthers(); err != nil {
		return saidConfused, fmt.Errorf("close descriptors: %w", err)
	}
	first := error(unix.ENOENT)
	for _, name := range o.Paths {
		err := syscall.Exec(name, args, os.Environ())
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			if first == unix.ENOENT {
				first = err
			}
			if !errors.Is(err, unix.EACCES) {
				break
			}
		}
	}
	return saidExec, first
}

// closeOthers marks every descriptor that is not the command's, so that it
// closes when the command is executed, the pipe included.
func (o *order) closeOthers() error {
	names, err := os.ReadDir("/dev/fd")
	if err != nil {
		return err
	}
	for _, n := range names {
		fd, err := strconv.Atoi(filepath.Base(n.Name()))
		if err == nil && (fd >= o.Keep || fd == o.Proof) {
			unix.CloseOnExec(fd)
		}
	}
	for _, fd := range o.Closed {
		unix.CloseOnExec(fd)
	}
	return nil
}
