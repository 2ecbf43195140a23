// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// patience is how long what ends by itself may take.
const patience = 2 * time.Minute

// warden has a soaker run and waits for everything that it started: orphans
// become its children, and it reaps them as the first process of a system does.
func warden(base string, launches int, seed uint64) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{soakerName, base, strconv.Itoa(launches), strconv.FormatUint(seed, 10)}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	return outlived(map[int]bool{cmd.Process.Pid: true})
}

// outlived waits for the processes given, which must end well, and for all that
// they leave, which must end too.
func outlived(running map[int]bool) error {
	orphans := 0
	var until time.Time
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.ECHILD:
			fmt.Printf("%d orphans, all of which ended\n", orphans)
			return nil
		case err != nil && err != unix.EINTR:
			return err
		case running[pid] && status != 0:
			return fmt.Errorf("who launched ended with %#x", status)
		case running[pid]:
			if delete(running, pid); len(running) == 0 {
				until = time.Now().Add(patience)
			}
		case pid > 0:
			orphans++
		case !until.IsZero() && time.Now().After(until):
			return fmt.Errorf("processes are left: %v", descendants())
		default:
			time.Sleep(time.Millisecond)
		}
	}
}

// A run of the soaker.
type run struct {
	base  string
	works []string     // workspaces
	span  atomic.Int64 // of a launch, in nanoseconds: what is killed dies within twice that
	died  atomic.Int64 // launches that were killed before they had ended
	owed  atomic.Int64 // launches that had ended when they were to be killed
}

// soaker launches, kills and measures. What the first launches leave, such as
// the threads of the runtime and the directories of caisson's state, is what the
// rest is compared with.
func soaker(base string, launches int, seed uint64) error {
	r := &run{base: base}
	for i := range 4 {
		dir := filepath.Join(base, "work", strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		r.works = append(r.works, dir)
		if i < 2 { // the others have more names that must stay absent
			if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
				return fmt.Errorf("git init: %w: %s", err, out)
			}
		}
	}
	r.span.Store(int64(20 * time.Millisecond))
	warm := max(launches/10, 10*len(r.works))
	begin := time.Now()
	if err := r.launchAll(warm, seed, seed+1); err != nil {
		return err
	}
	r.span.Store(int64(time.Since(begin)) * workers / int64(warm))
	first, err := r.settle(nil)
	if err != nil {
		return err
	}
	r.died.Store(0)
	begin = time.Now()
	if err := r.launchAll(launches, seed+2, seed+3); err != nil {
		return err
	}
	took := time.Since(begin)
	last, err := r.settle(first)
	if err != nil {
		return err
	}
	fmt.Printf("%d launches as user %d in %.1f s (%.0f a second, %d at once), %d of them killed before their end\n",
		launches, os.Geteuid(), took.Seconds(), float64(launches)/took.Seconds(), workers, r.died.Load())
	fmt.Printf("before: %v\nafter:  %v\n", first, last)
	return last.grown(first)
}

// workers is how many sandboxes are launched at once.
const workers = 2

func (r *run) launchAll(n int, seeds ...uint64) error {
	var todo atomic.Int64
	todo.Store(int64(n))
	var all sync.WaitGroup
	wrong := make(chan error, workers)
	for w := range workers {
		rng := rand.New(rand.NewPCG(seeds[0], seeds[1]+uint64(w)<<32))
		all.Go(func() {
			for todo.Add(-1) >= 0 {
				if err := r.launch(rng); err != nil {
					load, _ := os.ReadFile("/proc/loadavg") // how many threads there were may explain it
					wrong <- fmt.Errorf("%w (%s)", err, bytes.TrimSpace(load))
					return
				}
			}
		})
	}
	all.Wait()
	close(wrong)
	return <-wrong // nil when there is none
}

// launch makes one sandbox and runs a command in it, and may kill it at any
// moment of twice what one takes.
func (r *run) launch(rng *rand.Rand) error {
	dir := r.works[rng.IntN(len(r.works))]
	argv := []string{"/bin/true"}
	if rng.IntN(10) == 0 { // one that leaves processes behind
		argv = []string{"/bin/sh", "-c", "exec >/dev/null 2>&1; sleep 1000 & setsid sleep 1000 & echo >own && rm -f own"}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	kill := r.doomed(rng)
	if kill {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(rng.Int64N(2*r.span.Load())))
		defer stop()
	}
	how := r.byLibrary
	if rng.IntN(2) == 0 {
		how = r.byCommand
	}
	err := how(ctx, dir, argv)
	if err != nil && kill && ctx.Err() != nil {
		r.died.Add(1)
		return nil
	}
	if kill {
		r.owed.Add(1)
	}
	return err
}

// doomed says whether to kill the next launch: one in fifty, and another one
// where that one was over by then.
func (r *run) doomed(rng *rand.Rand) bool {
	if rng.IntN(50) == 0 || r.owed.Add(-1) >= 0 {
		return true
	}
	r.owed.Add(1)
	return false
}

// byLibrary ends with the end of ctx as its caller would: it closes the sandbox.
func (r *run) byLibrary(ctx context.Context, dir string, argv []string) error {
	sb, err := sandbox.Open(ctx, policy.Standard(dir), nil)
	if err != nil {
		return err
	}
	cmd := sb.Command(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%v: %w: %s", argv, err, out)
	}
	return errors.Join(err, sb.Close())
}

// byCommand has the command killed by SIGKILL at the end of ctx.
func (r *run) byCommand(ctx context.Context, dir string, argv []string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(r.base, "caisson"), append([]string{"run", "-w", dir, "-C", dir, "--"}, argv...)...)
	cmd.Args[0] = "caisson"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("caisson: %w: %s", err, out)
	}
	return nil
}

// settle has one more run in each workspace take away what the killed ones left,
// and measures when nothing changes any more: for a second, or until it is as
// before, if that is given.
func (r *run) settle(before *measure) (*measure, error) {
	for _, dir := range r.works {
		if err := r.byCommand(context.Background(), dir, []string{"/bin/true"}); err != nil {
			return nil, err
		}
	}
	var last *measure
	same := 0
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		m, err := r.take()
		if err != nil {
			return nil, err
		}
		if same++; last == nil || !m.same(last) {
			same = 0
		}
		if last = m; time.Now().After(end) || before == nil && same == 10 || before != nil && m.same(before) {
			return m, nil
		}
	}
}
