// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// BenchmarkCommands starts true on one node in the ways that a job has, as many
// at once as there are processors.
func BenchmarkCommands(b *testing.B) {
	c := startCluster(b)
	s := c.scene(b)
	job := s.allocation(b)
	session := s.as(s.uid, c.caisson, "session", "start", "--name", "bench", "-w", s.work)
	if status, out := run(b, session); status != 0 {
		b.Fatal(status, out)
	}
	defer run(b, s.as(s.uid, c.caisson, "session", "end", "bench"))
	step := []string{"srun", "--jobid=" + job, "--overlap", "--ntasks=1", "--quiet", "--input=none", "--chdir=" + s.work}
	sandbox := []string{c.caisson, "run", "--with-parent", "-w", s.work, "--"}
	for _, way := range []struct {
		name string
		argv []string
	}{
		{"plain", nil}, {"run", sandbox}, {"session", []string{c.caisson, "session", "run", "bench", "--"}},
		{"step", step}, {"step+run", append(step[:len(step):len(step)], sandbox...)},
		{"job", []string{"srun", "--ntasks=1", "--quiet", "--input=none", "--chdir=" + s.work}},
	} {
		b.Run(way.name, func(b *testing.B) {
			var workers sync.WaitGroup
			left := make(chan int, b.N)
			for i := range b.N {
				left <- i
			}
			close(left)
			b.ResetTimer()
			for range runtime.NumCPU() {
				workers.Go(func() {
					for range left {
						cmd := s.as(s.uid, append(way.argv[:len(way.argv):len(way.argv)], "/bin/true")...)
						cmd.Dir = s.work
						if out, err := cmd.CombinedOutput(); err != nil {
							b.Errorf("%v: %s", err, out)
						}
					}
				})
			}
			workers.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
		})
	}
}

// allocation is a job that has a node and does nothing.
func (s scene) allocation(b testing.TB) string {
	b.Helper()
	job := s.submit(b, "--wrap", "sleep 86400.5")
	s.await(b, "the allocation is there", func() bool { return len(with(b, "86400.5")) > 0 })
	return job
}

// BenchmarkMemory starts b.N commands that wait, and reports what each adds to
// the memory of processes: PSS, see proc_pid_smaps(5). What the kernel itself
// keeps for a process or a namespace is not in it.
func BenchmarkMemory(b *testing.B) {
	c := startCluster(b)
	s := c.scene(b)
	job := s.allocation(b)
	step := []string{"srun", "--jobid=" + job, "--overlap", "--ntasks=1", "--quiet", "--input=none", "--chdir=" + s.work}
	sandbox := []string{c.caisson, "run", "-w", s.work, "--"}
	for _, way := range []struct {
		name string
		argv []string
	}{{"plain", nil}, {"run", sandbox}, {"step", step}, {"step+run", append(step[:len(step):len(step)], sandbox...)}} {
		b.Run(way.name, func(b *testing.B) {
			before := memory(b)
			var started []*exec.Cmd
			for range b.N {
				cmd := s.as(s.uid, append(way.argv[:len(way.argv):len(way.argv)], "sleep", "86400.6")...)
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				started = append(started, cmd)
			}
			c.await(b, "all run", func() bool { return len(with(b, "86400.6")) == b.N })
			b.ReportMetric(float64(memory(b)-before)/1024/float64(b.N), "MiB/command")
			for _, cmd := range started {
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
			kill(b, with(b, "86400.6"))
			for _, cmd := range started {
				_ = cmd.Wait() // it was killed
			}
			c.await(b, "all have ended", func() bool { return len(with(b, "86400.6")) == 0 })
		})
	}
}

// memory is what this test's descendants use, in KiB.
func memory(b testing.TB) int {
	b.Helper()
	sum := 0
	for _, p := range descendants(b) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid)) // empty where it has ended
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		if f := strings.Fields(rest); len(f) > 0 {
			n, err := strconv.Atoi(f[0])
			if err != nil {
				b.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}
