// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// survive leaves a process behind that has a session of its own and ignores
// what can be ignored.
func survive() error {
	if os.Getenv("SURVIVOR") != "" {
		signal.Ignore()
		time.Sleep(100 * time.Second)
		return nil
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{attackerName, "survive"}
	cmd.Env = append(os.Environ(), "SURVIVOR=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// owner runs commands in a sandbox until somebody kills it.
func owner(work string) int {
	sb, err := sandbox.Open(context.Background(), policy.Standard(work), nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("open")
	for {
		cmd := sb.Command(context.Background(), here.binaryOf(work))
		cmd.Args = []string{attackerName, "survive"}
		cmd.Dir = work
		if err := cmd.Run(); err != nil {
			fmt.Println(err)
			return 1
		}
		time.Sleep(time.Millisecond)
	}
}

// binaryOf finds the executable of the tests from a workspace of theirs.
func (p *place) binaryOf(work string) string {
	return filepath.Join(filepath.Dir(filepath.Dir(work)), "attacker")
}

// warden starts owners, kills them and waits for everything that they started:
// orphans become its children. It prints what goes on to live.
func warden(work, times string) int {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Println(err)
		return 1
	}
	n, err := strconv.Atoi(times)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	opened := 0
	span := time.Minute // of the first owner: it is killed when it has opened
	for i := range n {
		out, err := os.CreateTemp(filepath.Dir(work), "owner")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		cmd := exec.Command("/proc/self/exe")
		cmd.Args = []string{ownerName, work}
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		began := time.Now()
		delay := span
		if i > 0 {
			delay = rand.N(span)
		}
		for time.Since(began) < delay {
			time.Sleep(min(time.Millisecond, delay))
			if text, _ := os.ReadFile(out.Name()); i == 0 && len(text) > 0 {
				// The others die at any moment of the same length twice over.
				span = 2 * time.Since(began)
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, _ := os.ReadFile(out.Name()); strings.HasPrefix(string(text), "open") {
			opened++
		}
		out.Close()
		os.Remove(out.Name())
		if left := await(2 * time.Minute); left != "" {
			fmt.Printf("LEFT: %s\n", left)
			return 1
		}
	}
	fmt.Println("opened", opened)
	return 0
}

// await reaps children until there are none, or tells which stay.
func await(patience time.Duration) string {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if err == unix.ECHILD {
			return ""
		}
		if pid == 0 && time.Now().After(deadline) {
			children, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
			var b strings.Builder
			for _, child := range strings.Fields(string(children)) {
				text, _ := os.ReadFile("/proc/" + child + "/cmdline")
				fmt.Fprintf(&b, "%s %q ", child, text)
			}
			return b.String() + "(children)"
		}
	}
}

// TestOwnerKilled kills programs that have a sandbox open, at any moment.
func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	times := "200"
	if os.Getenv(baseVariable) != "" {
		times = "50" // root has done the others
	}
	if testing.Short() {
		times = "20"
	}
	w := newWorld(t)
	w.repository()
	before := content(w.work)
	cmd := exec.Command(here.binary)
	cmd.Args = []string{wardenName, w.work, times}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("proc.tree.killed is broken: %v: %s", err, out)
	}
	if strings.Contains(string(out), "opened 0\n") {
		t.Error("the bait is broken: no owner lived long enough to open a sandbox")
	}
	t.Logf("%s", out)
	// What an owner that died in the middle of opening has left goes with the
	// next run.
	if content(w.work) != before {
		t.Log("the next run has to clean up")
	}
	w.must(w.open().Close())
	if after := content(w.work); after != before {
		t.Errorf("life.noresidue is broken: the workspace was\n%sand is\n%s", before, after)
	}
	// The control: without a sandbox the same survivor does survive.
	w.plain("survive", bait{})
	if !strings.Contains(survivors(), "survive") {
		t.Error("the bait is broken: nothing survives without a sandbox either")
	}
	for _, pid := range strings.Fields(survivors()) {
		if n, err := strconv.Atoi(pid); err == nil {
			_ = unix.Kill(n, unix.SIGKILL)
		}
	}
}

// survivors lists the processes of the host that survive started from the
// executable of these tests.
func survivors() string {
	var b strings.Builder
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		text, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		exe, _ := os.Readlink("/proc/" + e.Name() + "/exe")
		if exe == here.binary && string(text) == attackerName+"\x00survive\x00" {
			fmt.Fprintln(&b, e.Name(), "survive")
		}
	}
	return b.String()
}
