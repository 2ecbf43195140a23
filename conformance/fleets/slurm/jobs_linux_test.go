// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// scene is what one test gives jobs to work with: directories of the account's.
type scene struct {
	*cluster
	work    string // the workspace
	results string // where results are written
	outside string // where nothing may be written, though the account could
}

func (c *cluster) scene(t testing.TB) scene {
	t.Helper()
	name := strings.ReplaceAll(t.Name(), "/", "-")
	return scene{c, c.mkdir(t, name+"/work", c.uid), c.mkdir(t, name+"/results", c.uid), c.mkdir(t, name+"/outside", c.uid)}
}

// write writes a file of the account's, or of root's where anybody may read it.
func (s scene) write(t testing.TB, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// step is a step of one task of the account's, for caisson in the workspace or
// for a shell without it.
func (s scene) step(sandboxed bool, script string, flags ...string) *exec.Cmd {
	argv := []string{"srun", "--ntasks=1", "--quiet", "--chdir=" + s.work}
	if sandboxed {
		argv = append(append(argv, "caisson", "run", "--with-parent", "--result", s.result()), append(flags, "--")...)
	}
	return s.as(s.uid, append(argv, "sh", "-c", script)...)
}

func (s scene) result() string { return filepath.Join(s.results, "step.json") }

// run runs a command to its end.
func run(t testing.TB, cmd *exec.Cmd) (status int, output string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// result is what of a result of caisson matters here.
type result struct {
	Started bool
	Exit    struct {
		Code   int
		Signal *int
	}
	Diagnostics []struct{ Code, Message string }
}

// readResult reads one; ok is false where nothing was written.
func readResult(t testing.TB, name string) (r result, ok bool) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil || len(text) == 0 {
		return r, false
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r, true
}

// submit hands a job script to Slurm and returns the job's id.
func (s scene) submit(t testing.TB, argv ...string) string {
	t.Helper()
	cmd := s.as(s.uid, append([]string{"sbatch", "--parsable", "--output=" + s.results + "/%x-%A_%a.log"}, argv...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", argv, said(err))
	}
	return strings.TrimSpace(string(out))
}

func said(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(exit.Stderr) + exit.String()
	}
	return err.Error()
}

// script is the path of a job script of the documentation.
func (s scene) script(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "fleets", "slurm", name))
	if err != nil {
		t.Fatal(err)
	}
	return s.write(t, s.path(name), string(text)) // the checkout may be closed to the account
}

// over waits until jobs have left the queue.
func (c *cluster) over(t testing.TB, jobs ...string) {
	t.Helper()
	c.await(t, fmt.Sprintf("jobs %q are over", jobs), func() bool {
		return c.ask("squeue", "--noheader", "--jobs="+strings.Join(jobs, ",")) == ""
	})
}

// job returns a field of a job as scontrol prints it.
func (c *cluster) job(id, field string) string {
	found := regexp.MustCompile(`\b` + field + `=(\S*)`).FindStringSubmatch(c.ask("scontrol", "show", "job", id))
	if found == nil {
		return ""
	}
	return found[1]
}

// stepds are the processes of Slurm that look after the steps of a job.
func stepds(t testing.TB, job string) []process {
	t.Helper()
	var list []process
	for _, p := range descendants(t) {
		if strings.HasPrefix(p.argv, "slurmstepd: ["+job+".") {
			list = append(list, p)
		}
	}
	return list
}

func kill(t testing.TB, list []process) {
	t.Helper()
	for _, p := range list {
		if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			t.Error(err)
		}
	}
}

// names returns what is in a directory.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// lasting is a script that leaves four processes running, which have a word in
// their arguments, one of them in a session of its own.
func lasting(word int) string {
	n := strconv.Itoa(word)
	return "sleep 86400." + n + " & sleep 86400." + n + " & setsid sleep 86400." + n + " & sleep 86400." + n
}
