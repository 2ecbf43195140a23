// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figures prints what a pod and what a sandbox costs on this node. It compares
// them with nothing: the machine may be busy.
func (c *cluster) figures(t *testing.T) {
	began := time.Now()
	job := c.example(t, "job.yaml").called("one-each", "task", "0", "0")
	job.at("spec")["parallelism"] = pods
	c.create(t, open, job)
	if kind, _, message := c.finished(t, open, "one-each"); kind != "Complete" {
		t.Fatalf("the job ended as %s: %s", kind, message)
	}
	t.Logf("a pod for each command: %.2f each second", pods/time.Since(began).Seconds())
	c.must(t, "delete", "job", "one-each", "--wait=false")

	for _, row := range []struct{ name, what, script string }{
		{"figure-processes", "a process for each command", "for n in $(seq 100); do /bin/true; done"},
		{"figure-serial", "a sandbox for each command, one after the other", "for n in $(seq 100); do caisson run -q -w /workspace -- /bin/true || exit; done"},
		{"figure-parallel", "a sandbox for each command, four at a time", "seq 100 | xargs -P 4 -n 1 caisson run -q -w /workspace -- /bin/echo || exit"},
	} {
		c.create(t, open, c.example(t, "pod.yaml").called(row.name, "sh", "-c", "cat /proc/uptime; { "+row.script+"; } >/dev/null; cat /proc/uptime"))
		end := c.ended(t, open, row.name)
		times := strings.Fields(end.log)
		if end.code != 0 || len(times) != 4 {
			t.Fatalf("%s: %d, %s", row.what, end.code, end.log)
		}
		t.Logf("%s: %.0f each second", row.what, 100/(number(t, times[2])-number(t, times[0])))
	}
	c.memory(t)
}

// memory prints what one more pod and one more sandbox take, each with a
// command that sleeps: the proportional share of memory of all processes that
// it has, those outside of the container included, and nothing of the kernel's.
func (c *cluster) memory(t *testing.T) {
	const pods, sandboxes = 10, 40
	before := c.share(t)
	job := c.example(t, "job.yaml").called("sleeping", "sleep", "3600")
	job.at("spec")["completions"], job.at("spec")["parallelism"] = pods, pods
	c.create(t, open, job)
	c.await(t, "the pods sleep", func() error {
		out, err := c.kubectl("get", "job", "sleeping", "-o", "jsonpath={.status.ready}")
		if err == nil && out != fmt.Sprint(pods) {
			err = fmt.Errorf("%s do", out)
		}
		return err
	})
	between := c.share(t)
	t.Logf("a pod with one command: %d KiB", (between-before)/pods)

	loop := fmt.Sprintf(`for n in $(seq %d); do caisson run -q -w /workspace -- sh -c 'touch "up-$0"; exec sleep 3600' "$n" & done`, sandboxes)
	c.create(t, open, c.example(t, "pod.yaml").called("sandboxes", "sh", "-c", loop+"; wait"))
	c.await(t, "the sandboxes sleep", func() error {
		out, err := c.kubectl("exec", "sandboxes", "--", "sh", "-c", "ls /workspace | wc -l")
		if err == nil && strings.TrimSpace(out) != fmt.Sprint(sandboxes) {
			err = fmt.Errorf("%s do", out)
		}
		return err
	})
	pod := (between - before) / pods
	t.Logf("a sandbox with one command: %d KiB", (c.share(t)-between-pod)/sandboxes)
}

// share sums the proportional shares of memory, in KiB, of all processes of the
// cluster but its own daemons and this test.
func (c *cluster) share(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, file := range files {
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil || pid == 1 || pid == os.Getpid() || c.daemons[pid] {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended, or is of the kernel
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
				sum += int(number(t, f[1]))
			}
		}
	}
	return sum
}

func number(t *testing.T, word string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(word, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
