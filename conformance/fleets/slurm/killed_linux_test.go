// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unattended kills what looks after jobs: the kernel may do so for want of
// memory. What the raw job started goes on even after scancel has ended the job;
// of the sandboxed ones, by both job scripts, nothing does.
func unattended(t *testing.T, s scene) {
	raw := s.submit(t, "--wrap", lasting(200001))
	inArray := s.submit(t, "--array=1", "--no-requeue", s.script(t, "array.sh"), s.results, s.write(t, s.path("lasting-1"), lasting(200002)+"\n"), s.mkdir(t, "template", 0))
	inSession := s.submit(t, "--chdir="+s.work, s.script(t, "session.sh"), s.results, s.write(t, s.path("lasting-2"), lasting(200003)+"\n"))
	count := func(word int) int { return len(with(t, fmt.Sprint("86400.", word))) }
	s.await(t, "all run", func() bool { return count(200001) == 4 && count(200002) == 4 && count(200003) == 4 })
	for _, job := range []string{raw, inArray, inSession} {
		list := stepds(t, job)
		if len(list) == 0 {
			t.Fatalf("nothing looks after job %s", job)
		}
		kill(t, list)
	}
	s.await(t, "nothing sandboxed is left", func() bool { return count(200002)+count(200003) == 0 })
	s.ask("scancel", raw, inArray, inSession) // Slurm has not noticed
	s.over(t, raw, inArray, inSession)
	if n := count(200001); n != 4 {
		t.Errorf("the raw job left %d processes, want 4: else this test shows nothing", n)
	}
	kill(t, with(t, "86400.200001"))
}

// lost takes a node away while tasks of an array run there. They are started
// again elsewhere, in workspaces of their own, and nothing of the first attempt
// is left on the node, where nobody ends it.
func lost(t *testing.T, s scene) {
	once := s.path("once") // the first attempt lasts, the second ends
	command := fmt.Sprintf("echo attempt >file; test -e %s || { %s; }\n", once, lasting(300001))
	node := nodes()[2]
	job := s.submit(t, "--array=1-2", "--nodelist="+node, s.script(t, "array.sh"), s.results, s.write(t, s.path("lost-tasks"), command+command), s.mkdir(t, "template", 0))
	raw := s.submit(t, "--no-requeue", "--nodelist="+node, "--wrap", lasting(300002))
	count := func(word int) int { return len(with(t, fmt.Sprint("86400.", word))) }
	s.await(t, "all run", func() bool { return count(300001) == 8 && count(300002) == 4 })
	s.write(t, once, "")
	// The machine is gone, as far as Slurm can see.
	daemon := s.daemons[node]
	list := append(stepds(t, raw), process{pid: daemon.Process.Pid})
	for _, p := range descendants(t) {
		if strings.HasPrefix(p.argv, "slurmstepd: [") {
			list = append(list, p)
		}
	}
	kill(t, list)
	_ = daemon.Wait() // it was killed
	delete(s.daemons, node)
	s.ask("scontrol", "update", "nodename="+node, "state=down", "reason=lost")
	s.await(t, "nothing sandboxed is left", func() bool { return count(300001) == 0 })
	if n := count(300002); n != 4 {
		t.Errorf("the raw job left %d processes, want 4: else this test shows nothing", n)
	}
	kill(t, with(t, "86400.300002"))
	// Jobs that asked for a node wait for it.
	for _, id := range []string{job + "_1", job + "_2"} {
		s.ask("scontrol", "update", "jobid="+id, "nodelist=")
		s.ask("scontrol", "update", "jobid="+id, "starttime=now")
	}
	s.over(t, job)
	for _, n := range []string{"1", "2"} {
		for attempt, want := range []string{"lost", "ran 0"} {
			name := fmt.Sprint(n, ".", attempt)
			_, got := run(t, s.as(s.uid, "sh", s.script(t, "tell.sh"), filepath.Join(s.results, name+".json")))
			if attempt == 0 && got == name+" ran 137\n" {
				want = "ran 137" // caisson was there to write it
			}
			if got != fmt.Sprintf("%s %s\n", name, want) {
				t.Errorf("tell.sh says %q, want %s", got, want)
			}
			if text, err := os.ReadFile(filepath.Join(s.results, "workspaces", name, "file")); err != nil || string(text) != "attempt\n" {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
	}
}
