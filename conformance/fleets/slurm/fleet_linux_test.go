// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Together they are 500 tasks.
const (
	perSession = 67
	inArray    = 299
)

// task is the command line of one: it writes in its workspace, tries to write
// outside, and ends with a status of its own.
func (s scene) task(n int) string {
	return fmt.Sprintf("echo %d >task.%d; echo %d >%s/task.%d; exit %d", n, n, n, s.outside, n, status(n))
}

// status is that of a task. Some are 125.
func status(n int) int { return []int{0, 1, 7, 125, 124}[n%5] }

func (s scene) tasks(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		b.WriteString(s.task(i+1) + "\n")
	}
	return s.write(t, filepath.Join(s.results, "..", "tasks"), b.String())
}

// bait is what a task does without a sandbox.
func (s scene) bait(t *testing.T) {
	t.Helper()
	got, out := run(t, s.step(false, s.task(7)))
	written := filepath.Join(s.outside, "task.7")
	if text, err := os.ReadFile(written); err != nil || string(text) != "7\n" || got != status(7) {
		t.Fatalf("without a sandbox a task does not do what it should: status %d, %v; %s", got, err, out)
	}
	if err := os.Remove(written); err != nil {
		t.Fatal(err)
	}
}

// judge looks at what one task left.
func (s scene) judge(t *testing.T, n int, result, workspace string) {
	t.Helper()
	r, ok := readResult(t, result)
	if !ok || !r.Started || r.Exit.Code != status(n) {
		t.Errorf("task %d: %+v (%v), want the status %d", n, r, ok, status(n))
	}
	text, err := os.ReadFile(filepath.Join(workspace, fmt.Sprint("task.", n)))
	if err != nil || string(text) != fmt.Sprint(n, "\n") {
		t.Errorf("task %d wrote %q: %v", n, text, err)
	}
}

// steps runs three sessions at once, one on each node.
func steps(t *testing.T, s scene) {
	s.bait(t)
	tasks, script := s.tasks(t, perSession), s.script(t, "session.sh")
	var jobs []string
	for _, node := range nodes() {
		dir := s.mkdir(t, strings.TrimPrefix(s.work, s.dir+"/")+"/"+node, s.uid)
		results := s.mkdir(t, strings.TrimPrefix(s.results, s.dir+"/")+"/"+node, s.uid)
		jobs = append(jobs, s.submit(t, "--nodelist="+node, "--chdir="+dir, script, results, tasks))
	}
	s.over(t, jobs...)
	for i, node := range nodes() {
		if state := s.job(jobs[i], "JobState"); state != "COMPLETED" {
			t.Errorf("%s: %s", node, state)
		}
		for n := 1; n <= perSession; n++ {
			s.judge(t, n, filepath.Join(s.results, node, fmt.Sprint(n, ".json")), filepath.Join(s.work, node))
		}
	}
	if wrote := names(t, s.outside); len(wrote) > 0 {
		t.Errorf("outside there is %q", wrote)
	}
	// What caisson refuses ends a session, which says so.
	dir, results := s.mkdir(t, "closed", 0), s.mkdir(t, "closed-results", s.uid)
	job := s.submit(t, "--chdir="+dir, script, results, tasks)
	s.over(t, job)
	log, _ := os.ReadFile(filepath.Join(s.results, "session-"+job+"_4294967294.log"))
	if code := s.job(job, "ExitCode"); code != "125:0" || !strings.Contains(string(log), "command 1 was not run") {
		t.Errorf("a session that is refused: %s, %s", code, log)
	}
}

// array runs tasks of an array, and has tell.sh say what came of them.
func array(t *testing.T, s scene) {
	s.bait(t)
	template := s.mkdir(t, "template", 0)
	job := s.submit(t, fmt.Sprintf("--array=1-%d", inArray), s.script(t, "array.sh"), s.results, s.tasks(t, inArray), template)
	s.over(t, job)
	argv := []string{"sh", s.script(t, "tell.sh")}
	want := ""
	for n := 1; n <= inArray; n++ {
		name := fmt.Sprint(n, ".0")
		result := filepath.Join(s.results, name+".json")
		s.judge(t, n, result, filepath.Join(s.results, "workspaces", name))
		argv, want = append(argv, result), want+fmt.Sprintf("%s ran %d\n", name, status(n))
	}
	if wrote := names(t, s.outside); len(wrote) > 0 {
		t.Errorf("outside there is %q", wrote)
	}
	refused, killed := filepath.Join(s.results, "refused.json"), s.write(t, filepath.Join(s.results, "killed.json"), "")
	if got, out := run(t, s.as(s.uid, s.caisson, "run", "--result", refused, "-w", "/nowhere", "true")); got != 125 {
		t.Errorf("status %d; %s", got, out)
	}
	if _, got := run(t, s.as(s.uid, append(argv, refused, killed)...)); got != want+"refused refused\nkilled lost\n" {
		t.Errorf("tell.sh says %s", got)
	}
}
