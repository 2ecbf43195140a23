// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// patience bounds what runs without a limit of time. Emulated processors are
// slow.
const patience = 2 * time.Minute

// limiter opens a sandbox with limits, or skips the test where they are not
// offered here.
type limiter func(t *testing.T, l policy.Limits) *sandbox.Sandbox

// byBackend runs a test with each of the built-in backends. What cannot be had
// without namespaces on every kernel is given up there.
func byBackend(t *testing.T, test func(t *testing.T, limited limiter)) {
	for _, b := range sandbox.Backends() {
		name := b.Info().Name
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, l policy.Limits) *sandbox.Sandbox {
				t.Helper()
				sb, _ := open(t, func(p *policy.Policy) {
					p.Limits = l
					if name == "linux/landlock" {
						p.AllowWeaker = []guarantee.ID{guarantee.DeviceDenied, guarantee.IPCConfined, guarantee.WriteProtected, guarantee.OutsideUntouchable, guarantee.TreeKilled}
					}
				}, &sandbox.Options{Backends: []backend.Backend{b}})
				return sb
			})
		})
	}
}

// shell runs a script and returns what came of it and what it printed.
func shell(t *testing.T, sb *sandbox.Sandbox, script string) (sandbox.Result, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := sb.Command(ctx, "/bin/sh", "-c", script)
	out, err := cmd.CombinedOutput()
	var exit *sandbox.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil && exit.Limit != cmd.Result().Limit {
		t.Errorf("the error has the limit %q, the result %q", exit.Limit, cmd.Result().Limit)
	}
	return cmd.Result(), string(out)
}

// groups lists the control groups of sandboxes beside that of this one.
func groups(t *testing.T, sb *sandbox.Sandbox) []string {
	t.Helper()
	for _, step := range sb.Plan().Steps {
		if l, ok := step.(plan.Limits); ok && l.Cgroup != "" {
			found, err := filepath.Glob(filepath.Join(l.Cgroup, "caisson-*"))
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
	}
	return nil
}

// hog is a shell that holds N powers of two of bytes in a variable, and some
// more while it doubles it.
func hog(powers int) string {
	return "x=x; i=0; while [ $i -lt " + strconv.Itoa(powers) + " ]; do x=$x$x; i=$((i+1)); done; echo ${#x}"
}

// TestLimitMemory has commands use more memory than allowed, one after the
// other and a child of one. The sandbox survives, and so does who runs it.
func TestLimitMemory(t *testing.T) { byBackend(t, testMemory) }

func testMemory(t *testing.T, limited limiter) {
	sb := limited(t, policy.Limits{Memory: 64 << 20})
	if _, ok := sb.Claims()[guarantee.LimitMemory]; !ok {
		t.Error("the limit is not claimed")
	}
	if len(groups(t, sb)) == 0 {
		t.Error("the sandbox has no control group")
	}
	if r, out := shell(t, sb, hog(20)); r.Code != 0 || r.Limit != "" || out != "1048576\n" {
		t.Errorf("a small command: %+v, %q", r, out)
	}
	if r, out := shell(t, sb, hog(28)); r.Signal != 9 || r.Limit != "memory" {
		t.Errorf("a memory hog: %+v, %q", r, out)
	}
	if r, out := shell(t, sb, "sh -c '"+hog(28)+"'; exit 7"); r.Code != 7 || r.Limit != "memory" {
		t.Errorf("the child of a command: %+v, %q", r, out)
	}
	if r, out := shell(t, sb, "echo lives"); r.Code != 0 || r.Limit != "" || out != "lives\n" {
		t.Errorf("the sandbox afterwards: %+v, %q", r, out)
	}
	before := groups(t, sb)
	// Neither can it raise its limit nor move to the group that this is in.
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(string(own), "0::")
	for _, group := range before {
		beside := filepath.Join(filepath.Dir(group), filepath.Base(strings.TrimSpace(name)))
		for file, value := range map[string]string{group + "/memory.max": "max", beside + "/cgroup.procs": "$$"} {
			script := "echo " + value + " > " + file
			if r, out := shell(t, sb, script); r.Code <= 0 {
				t.Errorf("inside, %q: %+v, %q", script, r, out)
			}
			if out, err := exec.Command("/bin/sh", "-c", strings.Replace(script, "max >", strconv.Itoa(64<<20)+" >", 1)).CombinedOutput(); err != nil {
				t.Errorf("outside, %q: %v: %s", script, err, out)
			}
		}
	}
	if _, mounts := sb.Claims()[guarantee.OutsideHidden]; mounts { // else temporary files are the host's
		if r, out := shell(t, sb, "cat /dev/zero > /tmp/full; exit 3"); r.Code == 0 || r.Limit != "memory" {
			t.Errorf("a full temporary directory is memory too: %+v, %q", r, out)
		}
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if after := groups(t, sb); len(after) >= len(before) {
		t.Errorf("before the end there were %q, and now %q", before, after)
	}
	free := limited(t, policy.Limits{})
	if r, out := shell(t, free, hog(27)); r.Code != 0 || r.Limit != "" || out != "134217728\n" {
		t.Errorf("without a limit: %+v, %q", r, out)
	}
}

// TestLimitProcesses starts more processes than allowed.
func TestLimitProcesses(t *testing.T) { byBackend(t, testProcesses) }

func testProcesses(t *testing.T, limited limiter) {
	many := "i=0; while [ $i -lt 60 ]; do sleep 100 >/dev/null 2>&1 & i=$((i+1)); done; echo $i"
	sb := limited(t, policy.Limits{Processes: 20})
	r, out := shell(t, sb, many)
	counted := groups(t, sb) != nil
	if r.Code == 0 || strings.Contains(out, "60") || counted && r.Limit != "processes" {
		t.Errorf("60 processes with a limit of 20: %+v, %q", r, out)
	}
	free := limited(t, policy.Limits{})
	if r, out := shell(t, free, many); r.Code != 0 || r.Limit != "" || out != "60\n" {
		t.Errorf("without a limit: %+v, %q", r, out)
	}
}

// TestForkBomb lets one go off. The host goes on starting processes meanwhile,
// and when the time is over nothing is left.
func TestForkBomb(t *testing.T) { byBackend(t, testForkBomb) }

func testForkBomb(t *testing.T, limited limiter) {
	sb := limited(t, policy.Limits{Processes: 50, Time: 3 * time.Second})
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := sb.Command(ctx, "/bin/sh", "-c", "b() { while :; do b & done; }; b")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lived := 0
	for time.Since(began) < 2*time.Second {
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Fatalf("the host cannot start a process: %v", err)
		}
		lived++
	}
	err := cmd.Wait()
	var exit *sandbox.ExitError
	if !errors.As(err, &exit) || exit.Limit != "time" && exit.Limit != "processes" && (exit.Code <= 0 || groups(t, sb) != nil) {
		t.Errorf("it ended with %v, after %v; the host started %d processes", err, time.Since(began), lived)
	}
	pid := cmd.Pid()
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
		t.Error("the bomb is still there")
	}
}
