// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shipped is the path of the profile that remedies name.
func shipped(t *testing.T) string {
	t.Helper()
	file, err := filepath.Abs("../../docs/fleets/seccomp.json")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// without is the shipped profile, but for one call.
func without(t *testing.T, dir, call string) string {
	t.Helper()
	text, err := os.ReadFile(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	var profile struct {
		DefaultAction   string           `json:"defaultAction"`
		DefaultErrnoRet *uint            `json:"defaultErrnoRet,omitempty"`
		Architectures   []string         `json:"architectures"`
		Syscalls        []map[string]any `json:"syscalls"`
	}
	if err := json.Unmarshal(text, &profile); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, rule := range profile.Syscalls {
		names, _ := rule["names"].([]any)
		rest := slices.DeleteFunc(slices.Clone(names), func(name any) bool { return name == call })
		rule["names"], found = rest, found || len(rest) < len(names)
	}
	if !found {
		t.Fatalf("the profile does not name %s", call)
	}
	if text, err = json.Marshal(profile); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, call+".json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRemediedDocker does what the remedy for containers says: under Docker's
// default profile there is no linux/namespaces, under the shipped one there is,
// and what it claims holds. Each call that the shipped one adds is needed.
func TestRemediedDocker(t *testing.T) {
	t.Parallel()
	if !sandboxWorks() {
		t.Skip("this host cannot uphold the standard contract")
	}
	for name, user := range containerUsers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, user)
			act := []string{"run", "--backend", "linux/namespaces", "--", "true"}
			if code, _, said := c.caisson(t, false, act...); code != 0 {
				t.Fatalf("unconfined: status %d; %s", code, said)
			}
			if code, _, said := c.caisson(t, true, act...); code != 125 || !strings.Contains(said, "namespaces cannot be made") {
				t.Errorf("by default: status %d; %s", code, said)
			}
			c.says(t)
			for _, call := range []string{"mount", "mount_setattr", "move_mount", "open_tree", "setns"} {
				c.profile = without(t, c.dir, call)
				if code, _, said := c.caisson(t, true, act...); code != 125 {
					t.Errorf("without %s: status %d; %s", call, code, said)
				}
			}
			for call, works := range map[string]bool{"pidfd_getfd": false, "unshare": false, "": true} {
				if c.profile = shipped(t); call != "" {
					c.profile = without(t, c.dir, call)
				}
				if got := c.restricts(t); call != "pidfd_getfd" && got != works {
					t.Errorf("without %q: a command can have less than its session: %v", call, got)
				}
				if got := c.conforms(t, "linux/namespaces", "^work-21$"); call != "unshare" && got != works {
					t.Errorf("without %q: sockets inside can be connected: %v", call, got)
				}
			}
			if !c.conforms(t, "linux/namespaces", "^(write|protect|hide|net|unix|tree|privilege|process)-0[1-4]$") {
				t.Error("what linux/namespaces claims does not hold")
			}
			c.profile = "" // the next container, with the same home
			if code, _, said := c.caisson(t, true, act...); code != 125 || !strings.Contains(said, "namespaces cannot be made") {
				t.Errorf("by default, after the profile: status %d; %s", code, said)
			}
		})
	}
}

// says looks at what doctor says under Docker's default profile: which backend
// is out of reach, and the lines of the engine that variables tell of. They
// change nothing else.
func (c container) says(t *testing.T) {
	t.Helper()
	held := ""
	for engine, lines := range map[string]string{
		"KUBERNETES_SERVICE_HOST=10.0.0.1": `hostUsers: false", and its container "securityContext: {procMount: Unmasked, seccompProfile: {type: Localhost, localhostProfile: caisson.json}}`,
		"SLURM_JOB_ID=17":                  "remedy: ",
	} {
		c.env = []string{engine}
		code, out, said := c.caisson(t, true, "doctor", "--facts-only")
		if code != 1 || !strings.Contains(out, "linux/namespaces is out of reach: namespaces cannot be made") || !strings.Contains(out, lines) {
			t.Errorf("%s: status %d; %s %s", engine, code, out, said)
		}
		var standing []string
		for line := range strings.Lines(out) {
			if word, rest, _ := strings.Cut(line, " "); word == "held" || word == "LOST" || word == "open" {
				standing = append(standing, word+" "+strings.Fields(rest)[0])
			}
		}
		if now := strings.Join(standing, "; "); held == "" {
			held = now
		} else if now != held {
			t.Errorf("%s changes what is held: %s, else %s", engine, now, held)
		}
	}
}

// restricts reports whether one command of a session can have less than others.
func (c container) restricts(t *testing.T) bool {
	t.Helper()
	if code, _, said := c.caisson(t, true, "session", "start", "--name", "less", "--backend", "linux/namespaces"); code != 0 {
		t.Fatalf("no session: status %d; %s", code, said)
	}
	code, _, _ := c.caisson(t, true, "session", "run", "--read-only", "less", "--", "true")
	if code, _, said := c.caisson(t, true, "session", "end", "less"); code != 0 {
		t.Errorf("the session does not end: status %d; %s", code, said)
	}
	return code == 0
}

// conforms reports whether a backend passes the cases of the conformance suite
// that match.
func (c container) conforms(t *testing.T, backend, match string) bool {
	t.Helper()
	code, out, said := c.caisson(t, true, "conformance", "run", "-q", "--backend", backend, "--requirement", "must",
		"--match", match, "--timeout", "5m", "--case-timeout", "1m")
	if strings.Contains(out, " 0 pass, 0 fail") {
		t.Errorf("no case was run: status %d; %s %s", code, out, said)
	}
	return code == 0
}
