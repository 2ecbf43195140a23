// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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

// perHolder is how many sandboxes one process holds. Each has some thirty
// descriptors.
const perHolder = 100

// crowd has holders hold sandboxes open, all at the same time, and sees what
// outlives them.
func crowd(base string, n int, _ uint64) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	var mine []io.WriteCloser
	running := map[int]bool{}
	begin := time.Now()
	var opened []*bufio.Reader
	for first := 0; first < n; first += perHolder {
		cmd := exec.Command("/proc/self/exe")
		cmd.Args = []string{holderName, base, strconv.Itoa(min(perHolder, n-first)), strconv.Itoa(first)}
		cmd.Stderr = os.Stdout
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		mine, opened = append(mine, in), append(opened, bufio.NewReader(out))
		running[cmd.Process.Pid] = true
	}
	for _, out := range opened {
		line, err := out.ReadString('\n')
		if err != nil {
			return fmt.Errorf("a holder ended: %w: %s", err, line)
		}
		fmt.Print(line)
	}
	fmt.Printf("%d sandboxes were open at once as user %d, after %.1f s\n", n, os.Geteuid(), time.Since(begin).Seconds())
	for _, in := range mine {
		in.Close()
	}
	return outlived(running)
}

// holder opens sandboxes, has each show that it holds, says so, and does it
// again when all others are open. It ends at the end of its input.
func holder(base string, n int, first uint64) error {
	r := &run{base: base}
	for i := range n {
		dir := filepath.Join(base, "work", strconv.FormatUint(first+uint64(i), 10))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		r.works = append(r.works, dir)
	}
	outside := filepath.Join(base, "home", strconv.FormatUint(first, 10))
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		return err
	}
	if err := r.openAll(1, outside); err != nil { // what a first sandbox leaves is no growth
		return err
	}
	one := &run{base: base, works: r.works[:1]}
	before, err := one.settle(nil)
	if err != nil {
		return err
	}
	begin := time.Now()
	boxes := make([]*sandbox.Sandbox, n)
	err = together(n, func(i int) (err error) {
		if boxes[i], err = sandbox.Open(context.Background(), policy.Standard(r.works[i]), nil); err == nil {
			err = holds(boxes[i], r.works[i], outside)
		}
		return err
	})
	if err != nil {
		return err
	}
	opened := time.Since(begin)
	full, err := r.take()
	if err != nil {
		return err
	}
	processes, memory := helpers()
	fmt.Printf("each of %d: open after %.0f ms, idle with %.1f processes, %.0f kB in them, %.0f kB in the caller, %.1f descriptors\n", n,
		opened.Seconds()*1000/float64(n), float64(processes)/float64(n), float64(memory)/float64(n)/1e3, (float64(full.resident)-float64(before.resident))/float64(n)/1e3,
		float64(full.descriptors-before.descriptors)/float64(n))
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	err = together(n, func(i int) error {
		return errors.Join(holds(boxes[i], r.works[i], outside), boxes[i].Close())
	})
	if err != nil {
		return err
	}
	after, err := one.settle(before)
	if err != nil {
		return err
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "mine" {
		return fmt.Errorf("what lies outside is %q, %w", text, err)
	}
	after.resident, after.heap, after.threads = before.resident, before.heap, before.threads // the runtime keeps what a crowd needed
	return after.grown(before)
}

// openAll opens sandboxes one after the other, and closes them.
func (r *run) openAll(n int, outside string) error {
	for _, dir := range r.works[:n] {
		sb, err := sandbox.Open(context.Background(), policy.Standard(dir), nil)
		if err == nil {
			err = errors.Join(holds(sb, dir, outside), sb.Close())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// holds has a command write where it may, and try to where it may not.
func holds(sb *sandbox.Sandbox, dir, outside string) error {
	cmd := sb.Command(context.Background(), "/bin/sh", "-c", `echo x >own && rm own && ! echo x 2>/dev/null >"$0"`, outside)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("a sandbox does not hold, or hinders: %w: %s", err, out)
	}
	return nil
}

// together calls a function with each number below n, some at once.
func together(n int, do func(int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	wrong := make(chan error, 2*workers)
	for range 2 * workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					wrong <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(wrong)
	return <-wrong // nil when there is none
}

// helpers counts the children of this process and what memory is resident in
// them, in bytes.
func helpers() (n int, memory uint64) {
	for _, pid := range childrenOf(os.Getpid()) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		var pages uint64
		if err != nil {
			continue
		}
		if _, err := fmt.Sscan(string(text), new(int), &pages); err == nil {
			n++
			memory += pages * uint64(os.Getpagesize())
		}
	}
	return n, memory
}
