// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// arm is one of the ways in which the body of a case runs.
type arm string

const (
	bare   arm = "without a sandbox"
	single arm = "in a sandbox with one command"
	many   arm = "in an open sandbox with many commands"
)

func (a arm) letter() string { return map[arm]string{bare: "b", single: "s", many: "m"}[a] }

// T is one run of one case in one arm.
type T struct {
	arm  arm
	c    *Case
	ctx  context.Context
	run  *runner
	null Target // runs commands without a sandbox
	dir  string // of this run of the case; the workspace is below it

	// Spec is what Open asks for; the body changes it before.
	Spec Spec

	sb       Sandbox
	first    *Inside // keeps an open sandbox busy while the case runs
	helpers  []*Inside
	helper   *Inside // of Do
	cleanups []func()

	checks  []check
	last    act.Reply // of the latest act that failed
	skipped string
	trouble []string      // why the case cannot be judged
	refused bool          // the target refused by name to open the sandbox
	claimed guarantee.Set // by the sandbox of this run
	mu      sync.Mutex    // guards helpers against the watchdog
}

// check is one answer to the question whether harm was done, or a duty kept.
type check struct {
	broken bool
	why    string
}

// stop ends the body of a case from any depth.
type stop struct{}

// Skip ends the case: this host or target has no such thing.
func (t *T) Skip(format string, args ...any) {
	t.skipped = fmt.Sprintf(format, args...)
	panic(stop{})
}

// Fatal ends the case: it cannot be judged.
func (t *T) Fatal(format string, args ...any) {
	t.trouble = append(t.trouble, fmt.Sprintf(format, args...))
	panic(stop{})
}

// must is Fatal for errors of the host's side.
func (t *T) must(err error) {
	if err != nil {
		t.Fatal("the bait cannot be laid: %v", err)
	}
}

// Harm records whether the act did harm, as seen from outside. Without a
// sandbox every Harm of a case must be true.
func (t *T) Harm(done bool, format string, args ...any) {
	t.checks = append(t.checks, check{done, fmt.Sprintf(format, args...)})
}

// Want records whether a duty was kept. Without a sandbox every Want must be.
func (t *T) Want(kept bool, format string, args ...any) {
	t.checks = append(t.checks, check{!kept, fmt.Sprintf(format, args...)})
}

// Bare reports whether this is the run without a sandbox.
func (t *T) Bare() bool { return t.arm == bare }

// Cleanup runs f when the case ends, the last one first.
func (t *T) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// Inside joins a path of the workspace.
func (t *T) In(elem ...string) string {
	return filepath.Join(append([]string{t.Spec.Workspace}, elem...)...)
}

// Out joins a path beside the workspace, in a directory whose name begins with
// the workspace's.
func (t *T) Out(elem ...string) string {
	return filepath.Join(append([]string{t.Spec.Workspace + "-beside"}, elem...)...)
}

// File makes a file on the host, with the directories above it.
func (t *T) File(path, content string) string {
	t.must(os.MkdirAll(filepath.Dir(path), 0o755))
	t.must(os.WriteFile(path, []byte(content), 0o644))
	return path
}

// Dir makes a directory on the host.
func (t *T) Dir(path string) string {
	t.must(os.MkdirAll(path, 0o755))
	return path
}

// Bait makes a file with a name that nothing else has in a directory of the
// host's that is not the suite's own, and removes it at the end.
func (t *T) Bait(dir, content string) string {
	if _, err := os.Stat(dir); err != nil {
		t.Skip("there is no %s", dir)
	}
	path := filepath.Join(dir, "caisson-bait-"+t.Secret())
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Skip("nothing can be laid in %s: %v", dir, err)
	}
	t.Cleanup(func() { os.Remove(path) })
	return path
}

// Secret returns a word that nobody can guess.
func (t *T) Secret() string { return rand.Text() }

// Socket returns a path for a socket, or skips the case where it is too long
// for one, see unix(7).
func (t *T) Socket(path string) string {
	if len(path) > 103 { // the least of all systems, macOS
		t.Skip("the path %s is too long for a socket: work in another directory", path)
	}
	return path
}

// Content is what a file of the host holds; "" where there is none.
func (t *T) Content(path string) string {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
		t.Fatal("the truth cannot be read: %v", err)
	}
	return string(b)
}

// Exists reports whether the host has something at a path.
func (t *T) Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Eventually asks until the answer is yes, for two seconds at the most.
func (t *T) Eventually(yes func() bool) bool {
	for range 200 {
		if yes() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return yes()
}

// Soon is Eventually for half a second.
func (t *T) Soon(yes func() bool) bool {
	for range 50 {
		if yes() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return yes()
}

// shortly is a limit of time within which a command has begun and which a test
// can wait for: a second, and more on hosts so slow that cases get longer.
func (t *T) shortly() time.Duration { return max(time.Second, t.run.CaseTimeout/60) }

// Open makes the sandbox. It is called by Start and Do where the body has not.
func (t *T) Open() {
	if t.sb != nil {
		return
	}
	t.sb = t.open(t.current(), t.Spec)
	if t.arm == many {
		t.first = t.Start("serve")
		t.first.Do(act.Request{Op: "hello"})
	}
}

// open opens a sandbox that ends with the case.
func (t *T) open(target Target, s Spec) Sandbox {
	sb, err := target.Open(t.ctx, s)
	if err != nil {
		var refused *RefusedError
		if errors.As(err, &refused) {
			t.skipped = refused.Error()
			panic(refusal{})
		}
		t.Fatal("the sandbox cannot be opened: %v", err)
	}
	t.Cleanup(func() { sb.Close() })
	if t.claimed == nil {
		t.claimed = sb.Claims()
	}
	return sb
}

// refusal ends the body of a case whose sandbox the target refused by name.
type refusal struct{}

// RefusedError is the error of a Target that will not make a sandbox because a
// guarantee that the case asks for is out of its reach: nothing was promised,
// so nothing is broken.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Close ends the sandbox before the case ends. A tool that runs one command may
// tidy up after it, so its command is let end by itself first.
func (t *T) Close() {
	for _, h := range t.helpers {
		h.leave()
		h.end()
	}
	t.helpers, t.helper, t.first = nil, nil, nil
	if err := t.sb.Close(); err != nil {
		t.trouble = append(t.trouble, fmt.Sprintf("the sandbox did not close: %v", err))
	}
	t.sb = nil
}

// Do has the helper inside commit one act.
func (t *T) Do(r act.Request) act.Reply {
	if t.helper == nil {
		t.Open()
		t.helper = t.Start("serve")
	}
	return t.helper.Do(r)
}

// Start starts the helper inside in a role.
func (t *T) Start(role string, args ...string) *Inside {
	t.Open()
	return t.StartWith(Command{}, role, args...)
}

// Other returns the helper in a second sandbox of the same policy, with a
// workspace of its own.
func (t *T) Other() *Inside {
	t.Open()
	spec := t.Spec
	spec.Workspace = t.Dir(filepath.Join(t.dir, "other"))
	other := &T{arm: t.arm, c: t.c, ctx: t.ctx, run: t.run, null: t.null, dir: t.dir, Spec: spec}
	other.sb = t.open(t.current(), spec)
	h := other.Start("serve")
	h.t = t // its failures are this case's
	t.mu.Lock()
	t.helpers = append(t.helpers, h)
	t.mu.Unlock()
	return h
}

// current is the target of this arm.
func (t *T) current() Target {
	if t.Bare() {
		return t.null
	}
	return t.run.target
}

// Apart makes the sandbox belong to a process of its own, with a session and
// terminal of its own, which Process.Kill kills. Programs that run commands are
// that process already.
func (t *T) Apart() {
	if o, ok := t.current().(interface{ owned(helper []string) Target }); ok {
		if !t.run.ownable {
			t.Skip("conformance.Main was not given this backend")
		}
		t.sb = t.open(o.owned(t.run.helper), t.Spec)
	}
}

// end runs what is to run when the case ends.
func (t *T) end() {
	for _, h := range t.helpers {
		h.end()
	}
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

// home is the home directory of the user, as the caller's environment has it.
func (t *T) home() string {
	dir, err := os.UserHomeDir()
	if err != nil {
		t.Skip("there is no home directory: %v", err)
	}
	if below(dir, temporaryDirs()) {
		t.Skip("the home directory lies in a temporary directory, which is private inside")
	}
	return dir
}

// helperArgs is the command line of the helper.
func (t *T) helperArgs(role string, args ...string) []string {
	return append(slices.Clone(t.run.helper), append([]string{role}, args...)...)
}

// oneLine makes text fit for a line of a report.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 400 {
		s = string(r[:400]) + "…"
	}
	return s
}

// missing says which need of a case this host lacks, or "".
func missing(needs []Need, has []Need) string {
	for _, n := range needs {
		switch n {
		case NeedLinux:
			if runtime.GOOS != "linux" {
				return "only Linux has it"
			}
		case NeedUnix:
			if runtime.GOOS == "windows" {
				return "Windows has no such thing"
			}
		case NeedRoot:
			if os.Geteuid() != 0 {
				return "only root can lay the bait"
			}
		case NeedUser:
			if os.Geteuid() == 0 {
				return "root may do it in any case"
			}
		case NeedTerminal:
			if runtime.GOOS == "windows" {
				return "the suite cannot make a pseudo console yet"
			}
		case NeedMany:
			if !slices.Contains(has, n) {
				return "the target runs one command in a sandbox"
			}
		case NeedOracle:
			if !slices.Contains(has, n) {
				return "the target takes no policies of caisson"
			}
		case NeedFiles:
			if !slices.Contains(has, n) {
				return "the target has no way to grant descriptors"
			}
		case NeedDenials:
			if !slices.Contains(has, n) {
				return "the target does not report denials to its caller"
			}
		}
	}
	return ""
}
