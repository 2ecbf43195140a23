// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/cmd/internal/session"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// inSession is a command line of a command in a session.
type inSession struct {
	args   []string
	dir    string // of --chdir
	cwd    string
	less   less
	limit  time.Duration
	client *serve.Client
}

// less is what the command may do less than the session: params of command.start.
type less struct {
	readOnly      bool
	protect, hide []string // absolute
}

// add adds what there is. A session that an older caisson holds refuses it then,
// and no other command.
func (l less) add(params map[string]any) {
	if l.readOnly {
		params["read_only"] = true
	}
	if l.protect != nil {
		params["protect"] = l.protect
	}
	if l.hide != nil {
		params["hide"] = l.hide
	}
}

// runInSession runs a command in a session and turns its end into an exit status.
func (j *job) runInSession(c *cobra.Command, args []string) error {
	r, err := j.readInSession(c, args)
	if err != nil {
		return j.refuse(err)
	}
	signals := catchSignals()
	defer signals.stop()
	client, detach, err := session.Attach(stateDir(), j.session)
	if err != nil {
		return j.refuse(err)
	}
	defer detach()
	r.client = client
	resolved, err := r.policy()
	if err != nil {
		return j.refuse(err)
	}
	out, err := j.openResult(resolved)
	if err != nil {
		return err
	}
	result, err := j.relay(r, signals)
	switch {
	case err != nil:
		return j.finish(out, nil, sandbox.Result{}, err)
	case j.reason != "":
		result.Reason = j.reason
	}
	if out != nil {
		if err := out.write(result); err != nil {
			return err
		}
	}
	j.tellDenials(result)
	if result.Exit.TimedOut && !j.flags.quiet {
		j.say("the time limit is over")
	}
	if result.Exit.Code != 0 {
		return status(result.Exit.Code)
	}
	return nil
}

// readInSession reads the command line. Flags that would widen the policy are
// refused.
func (j *job) readInSession(c *cobra.Command, args []string) (*inSession, error) {
	r := &inSession{args: args, dir: j.chdir}
	var bad error
	known := []string{"session", "chdir", "timeout", "result", "reason", "quiet", "verbose", "read-only", "protect", "hide"}
	c.Flags().Visit(func(f *pflag.Flag) {
		if bad == nil && !slices.Contains(known, f.Name) {
			bad = diag.New(diag.SessionFixed, "--"+f.Name+": the policy of a session is fixed when it starts", "start another session with it")
		}
	})
	if bad != nil {
		return nil, bad
	}
	var err error
	if j.flags.timeout != "" {
		if r.limit, err = time.ParseDuration(j.flags.timeout); err != nil || r.limit < time.Millisecond {
			return nil, usageError(c, "--timeout: %s is no time", diag.Quote(j.flags.timeout))
		}
	}
	r.cwd, _ = os.Getwd() // without one the command starts in the workspace
	if r.dir != "" && !filepath.IsAbs(r.dir) {
		r.dir = filepath.Join(r.cwd, r.dir)
	}
	if r.less, err = j.readLess(c, r.cwd); err != nil {
		return nil, err
	}
	if !utf8.ValidString(r.cwd) {
		r.cwd = ""
	}
	if !utf8.ValidString(r.dir) {
		return nil, usageError(c, "--chdir: %s is not UTF-8", diag.Quote(r.dir))
	}
	return r, nil
}

// readLess reads what the command may do less than the session. Relative paths are
// taken from the current directory, as everywhere on the command line.
func (j *job) readLess(c *cobra.Command, cwd string) (less, error) {
	l := less{readOnly: j.flags.readOnly}
	for _, f := range []struct {
		name  string
		paths []string
		to    *[]string
	}{{"protect", j.flags.protect, &l.protect}, {"hide", j.flags.hide, &l.hide}} {
		for _, name := range f.paths {
			if name == "" || !filepath.IsAbs(name) && cwd == "" {
				return l, usageError(c, "--%s: %s is no path", f.name, diag.Quote(name))
			}
			if !filepath.IsAbs(name) {
				name = filepath.Join(cwd, name)
			}
			if !utf8.ValidString(name) {
				return l, usageError(c, "--%s: %s is not UTF-8", f.name, diag.Quote(name))
			}
			*f.to = append(*f.to, name)
		}
	}
	return l, nil
}

// policy is the policy of the session.
func (r *inSession) policy() (*policy.Resolved, error) {
	var answer struct {
		Policy json.RawMessage `json:"policy"`
	}
	if err := r.client.Call("policy.resolve", struct{}{}, &answer); err != nil {
		return nil, ended(err)
	}
	return policy.DecodeResolved(answer.Policy)
}

// ended is an error of a call: one that is no answer is the end of the session.
func ended(err error) error {
	if _, refused := errors.AsType[*serve.Refused](err); refused {
		return err
	}
	return diag.New(diag.SessionUnknown, "the session ended before the command was started", "start another one")
}

// relay runs the command with the streams of this process. Those that are
// terminals are replaced by one of the command's own, whose other end is copied.
func (j *job) relay(r *inSession, signals *signals) (outcome.Outcome, error) {
	var result outcome.Outcome
	t, err := j.openRelay()
	if err != nil {
		return result, err
	}
	defer t.close()
	environ, raw := [][]byte{}, [][]byte{}
	for _, v := range os.Environ() {
		environ = append(environ, []byte(v))
	}
	for _, a := range r.args {
		raw = append(raw, []byte(a))
	}
	var started struct {
		Command string `json:"command"`
	}
	params := map[string]any{
		"sandbox": j.session, "raw_argv": raw, "dir": r.dir, "cwd": r.cwd, "environ": environ,
		"timeout_ms": r.limit.Milliseconds(), "descriptors": []int{0, 1, 2}, "terminal": t.master != nil,
	}
	r.less.add(params)
	err = r.client.Call("command.start", params, &started, t.files[:]...)
	if err != nil {
		return result, ended(err)
	}
	t.begin()
	signals.passBy(func(sig syscall.Signal) {
		_ = r.client.Call("command.signal", map[string]string{"command": started.Command, "signal": unix.SignalName(sig)}, nil) // it may have ended just now
	})
	if err := r.client.Call("command.wait", started, &result); err != nil {
		return result, diag.New(diag.LaunchFailed, "the session ended before the command did", "start another one")
	}
	t.drain()
	return result, nil
}
