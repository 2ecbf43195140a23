// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSlurm runs everything in one cluster. The tests come one after another:
// each may have all nodes.
func TestSlurm(t *testing.T) {
	c := startCluster(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, scene)
	}{
		{"input", input}, {"statuses", statuses}, {"signals", signals}, {"submissions", submissions}, {"foreign", foreign},
		{"cancelled", cancelled}, {"steps", steps}, {"array", array}, {"unattended", unattended}, {"lost", lost},
	} {
		if !t.Run(test.name, func(t *testing.T) {
			begun := time.Now()
			test.run(t, c.scene(t))
			t.Logf("%.1f s", time.Since(begun).Seconds())
		}) {
			return // what it left would be in the way of the others
		}
	}
}

// input passes a megabyte in and out.
func input(t *testing.T, s scene) {
	sent := make([]byte, 1<<20)
	if _, err := rand.Read(sent); err != nil {
		t.Fatal(err)
	}
	for _, sandboxed := range []bool{false, true} {
		cmd := s.step(sandboxed, "cat")
		cmd.Stdin = bytes.NewReader(sent)
		got, err := cmd.Output()
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("sandboxed %v: %d bytes of %d came back: %v", sandboxed, len(got), len(sent), err)
		}
	}
}

// statuses tells a command's own 125 from a refusal, by the result alone.
func statuses(t *testing.T, s scene) {
	for _, one := range []struct {
		script  string
		flags   []string
		status  int
		started bool
		code    string // of the diagnostic that comes with it
	}{
		{script: "exit 0", started: true},
		{script: "exit 7", status: 7, started: true},
		{script: "exit 125", status: 125, started: true},
		{script: "kill -TERM $$", status: 143, started: true},
		{script: "exit 0", flags: []string{"-w", "/nowhere"}, status: 125, code: "workspace-invalid"},
		{script: "exit 0", flags: []string{"--backend", "nosuch"}, status: 125, code: "backend-unknown"},
	} {
		_ = os.Remove(s.result()) // of the one before
		status, out := run(t, s.step(true, one.script, one.flags...))
		r, ok := readResult(t, s.result())
		if status != one.status || !ok || r.Started != one.started || r.Exit.Code != one.status {
			t.Errorf("%q %q: srun exits with %d, the result says %+v (%v), want %+v; %s", one.script, one.flags, status, r, ok, one, out)
		}
		if one.code != "" && (len(r.Diagnostics) == 0 || r.Diagnostics[len(r.Diagnostics)-1].Code != one.code) {
			t.Errorf("%q %q: %+v, want the code %s", one.script, one.flags, r.Diagnostics, one.code)
		}
	}
}

// signals sends some to the one step of a job.
func signals(t *testing.T, s scene) {
	for _, sandboxed := range []bool{false, true} {
		heard := filepath.Join(s.work, fmt.Sprint("heard-", sandboxed))
		cmd := s.step(sandboxed, `trap 'echo USR1 >>`+heard+`' USR1; trap 'echo TERM >>`+heard+`; exit 9' TERM
			echo ready >>`+heard+`; while :; do sleep 0.05; done`)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, next := range []string{"ready", "USR1", "TERM"} {
			if next != "ready" {
				s.ask("scancel", "--state=RUNNING", "--user="+s.account.Username, "--signal="+next)
			}
			lines = append(lines, next)
			// Slurm signals every process of a step, and caisson passes its own
			// on: the command may hear one twice.
			s.await(t, next+" is heard", func() bool {
				text, _ := os.ReadFile(heard)
				return slices.Equal(slices.Compact(strings.Fields(string(text))), lines)
			})
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 9 {
			t.Errorf("sandboxed %v: %v", sandboxed, err)
		}
	}
}

// submissions tries to get out of the sandbox by a step of its own, which Slurm
// would start outside. The network is there; what is not is the socket of munge.
func submissions(t *testing.T, s scene) {
	file := filepath.Join(s.outside, "file")
	script := "srun --overlap --immediate=60 touch " + file
	for _, sandboxed := range []bool{false, true} {
		status, out := run(t, s.step(sandboxed, script, "--net", "online", "--env", "SLURM_CONF", "--env", "SLURM_JOB_ID"))
		wrote := slices.Contains(names(t, s.outside), "file")
		if wrote == sandboxed || (status == 0) != wrote || sandboxed && !strings.Contains(out, "munge") {
			t.Errorf("sandboxed %v: a job wrote outside: %v, status %d; %s", sandboxed, wrote, status, out)
		}
		_ = os.Remove(file) // it is there without a sandbox alone
	}
}

// foreign has root run in a workspace that is another's: what is run writes, or
// nothing is run.
func foreign(t *testing.T, s scene) {
	for _, owner := range []int{0, s.uid} {
		if err := os.Chown(s.work, owner, 0); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(s.work, fmt.Sprint("of-", owner))
		status, out := run(t, s.as(0, "srun", "--ntasks=1", "--quiet", "--chdir="+s.work, "caisson", "run", "--with-parent", "--result", s.result(), "--",
			"sh", "-c", "echo text >"+file+"; exit 0"))
		text, _ := os.ReadFile(file)
		r, ok := readResult(t, s.result())
		wrote, refused := string(text) == "text\n", status == 125 && ok && !r.Started
		if wrote == refused || wrote && status != 0 || owner == 0 && !wrote {
			t.Errorf("owner %d: wrote %v, refused %v, status %d; %s", owner, wrote, refused, status, out)
		}
		if refused && !strings.Contains(out, "cannot be written by the user") {
			t.Errorf("owner %d: the refusal says %q", owner, out)
		}
	}
}

// cancelled ends jobs by scancel, which leaves nothing of either.
func cancelled(t *testing.T, s scene) {
	for i, sandboxed := range []bool{false, true} {
		word := 100001 + i
		cmd := s.step(sandboxed, lasting(word))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.await(t, "it runs", func() bool { return len(with(t, fmt.Sprint("86400.", word))) == 4 })
		s.ask("scancel", "--state=RUNNING", "--user="+s.account.Username)
		_ = cmd.Wait() // srun says that it was cancelled
		s.await(t, "nothing is left", func() bool { return len(with(t, fmt.Sprint("86400.", word))) == 0 })
	}
}
