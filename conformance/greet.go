// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// errNoMain is the error of a program that does not serve the helper.
var errNoMain = errors.New("conformance: this program does not serve the helper: begin its TestMain (or main) with conformance.Main()\n\n" +
	"\tfunc TestMain(m *testing.M) { conformance.Main(); os.Exit(m.Run()) }")

// greetBare makes sure that the helper speaks at all.
func (r *runner) greetBare(ctx context.Context) error {
	c := Case{ID: "greeting", run: func(t *T) {
		t.Want(t.Do(act.Request{Op: "hello"}).OK(), "")
	}}
	t := r.arm(ctx, c, bare)
	if len(t.trouble) > 0 || len(t.checks) == 0 {
		return fmt.Errorf("%w\n\n(%s)", errNoMain, oneLine(strings.Join(t.trouble, "; ")))
	}
	return nil
}

// greet asks the target who it is and whether the helper speaks inside. The
// error is why no case can be judged.
func (r *runner) greet(ctx context.Context) (guarantee.Set, error) {
	type answer struct {
		info Info
		err  error
	}
	asked := make(chan answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				asked <- answer{err: fmt.Errorf("the target panicked when it was asked who it is: %v", p)}
			}
		}()
		info, err := r.target.Info(ctx)
		asked <- answer{info, err}
	}()
	select {
	case a := <-asked:
		r.info = a.info
		if a.err != nil {
			return nil, a.err
		}
	case <-time.After(r.CaseTimeout):
		r.info.Name = "unknown"
		return nil, fmt.Errorf("the target did not say in %v who it is", r.CaseTimeout)
	}
	var claims guarantee.Set
	c := Case{ID: "greeting", run: func(t *T) {
		t.Open()
		claims = t.sb.Claims()
		reply := t.Do(act.Request{Op: "hello"})
		t.Want(reply.OK(), "%s", reply.Said())
	}}
	t := r.arm(ctx, c, single)
	if t.skipped != "" {
		return claims, fmt.Errorf("the sandbox cannot be opened: %s", t.skipped)
	}
	if len(t.trouble) > 0 || len(t.checks) == 0 {
		return nil, fmt.Errorf("the helper does not run inside: %s", strings.Join(t.trouble, "; "))
	}
	return claims, nil
}

// abort unblocks a body whose time is over: its commands are killed and its
// pipes closed.
func (t *T) abort() {
	t.mu.Lock()
	helpers := slices.Clone(t.helpers)
	t.mu.Unlock()
	for _, h := range helpers {
		h.process.Kill()
		for _, f := range h.ends {
			f.Close()
		}
	}
}

// environ returns the caller's environment without what names begin with, and
// with what is added as NAME=VALUE.
func environ(without string, add ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return without != "" && strings.HasPrefix(v, without)
	})
	return append(env, add...)
}
