// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// short are deadlines for plugins that never answer. What they bound does not
// happen, so no machine is too slow for them.
func short() Timeouts {
	return Timeouts{Start: 30 * time.Second, Describe: 500 * time.Millisecond, Probe: 500 * time.Millisecond, Prepare: 500 * time.Millisecond}
}

// goThrough asks a plugin everything, as a host does that wants a plan.
func goThrough(ctx context.Context, found registry.Plugin, r *policy.Resolved, o Options) error {
	p, err := Start(ctx, found, o)
	if err != nil {
		return err
	}
	defer p.Close()
	report, err := p.Probe(ctx)
	if err != nil {
		return err
	}
	_, err = p.Prepare(ctx, backend.Request{Policy: r, Facts: report.Facts})
	return err
}

// TestHostile: every plugin that is broken or lies ends in a refusal with a
// clear message, and none is left running.
func TestHostile(t *testing.T) {
	t.Parallel()
	never := short()
	never.Start = time.Second
	for _, c := range []struct {
		name, want string
		code       diag.Code
		timeouts   Timeouts
	}{
		{"cookie", "failed", diag.PluginFailed, Timeouts{}},
		{"version", "Plugin version: 2", diag.PluginFailed, Timeouts{}},
		{"silent", "did not shake hands", diag.PluginFailed, never},
		{"exits", "failed", diag.PluginFailed, Timeouts{}},
		{"babbles", `\x1b]0;I am a plugin`, diag.PluginFailed, Timeouts{}},
		{"elsewhere", "where it may not", diag.PluginFailed, Timeouts{}},
		{"open", "describe itself", diag.PluginFailed, Timeouts{}},
		{"hang-describe", "did not describe itself in time", diag.PluginFailed, short()},
		{"hang-probe", "did not probe the host in time", diag.PluginFailed, short()},
		{"hang-prepare", "did not plan in time", diag.PluginFailed, short()},
		{"crash-describe", "ended instead of answering", diag.PluginFailed, Timeouts{}},
		{"crash-probe", "ended instead of answering", diag.PluginFailed, Timeouts{}},
		{"crash-prepare", "ended instead of answering", diag.PluginFailed, Timeouts{}},
		{"flood-stdout-start", "the backend plugin flood-stdout-start failed: ", diag.PluginFailed, Timeouts{}},
		{"flood-stderr-start", "more than 1048576 bytes to its standard error", diag.PluginFailed, Timeouts{}},
		{"flood-stdout-probe", "more than 65536 bytes to its standard output", diag.PluginFailed, Timeouts{}},
		{"flood-stderr-prepare", "more than 1048576 bytes to its standard error", diag.PluginFailed, Timeouts{}},
		{"huge", "its answer is larger than 1048576 bytes", diag.PluginFailed, Timeouts{}},
		{"json-describe", "describes itself as it may not", diag.PlanInvalid, Timeouts{}},
		{"unknown-describe", `unknown key "root"`, diag.PlanInvalid, Timeouts{}},
		{"impostor-describe", "linux/namespaces, which is built in", diag.PlanInvalid, Timeouts{}},
		{"escape-describe", "name of the backend", diag.PlanInvalid, Timeouts{}},
		{"windows-describe", "it is for [windows]", diag.PlanInvalid, Timeouts{}},
		{"json-probe", "probes the host as it may not", diag.PlanInvalid, Timeouts{}},
		{"unknown-probe", "unknown guarantee fs.write.all", diag.PlanInvalid, Timeouts{}},
		{"escape-probe", "no plain sentence", diag.PlanInvalid, Timeouts{}},
		{"bidi-probe", "no plain sentence", diag.PlanInvalid, Timeouts{}},
		{"json-prepare", "plans as it may not", diag.PlanInvalid, Timeouts{}},
		{"overclaims-prepare", "claims net.offline, which the plugin does not offer", diag.PlanInvalid, Timeouts{}},
		{"vmclaims-prepare", `unknown "hope"`, diag.PlanInvalid, Timeouts{}},
		{"step-prepare", `unknown step "chroot"`, diag.PlanInvalid, Timeouts{}},
		{"field-prepare", `unknown key "unconfined"`, diag.PlanInvalid, Timeouts{}},
		{"format-prepare", "format 2 is not known", diag.PlanInvalid, Timeouts{}},
		{"nothing-prepare", "has no step and claims fs.write.confined", diag.PlanInvalid, Timeouts{}},
		{"other-prepare", "the plan is of linux/namespaces", diag.PlanInvalid, Timeouts{}},
		{"system-prepare", "the plan is for windows", diag.PlanInvalid, Timeouts{}},
		{"env-prepare", "LD_PRELOAD, which it may not", diag.PlanInvalid, Timeouts{}},
		{"path-prepare", "PATH, which it may not", diag.PlanInvalid, Timeouts{}},
		{"unset-prepare", "HOME, which it may not", diag.PlanInvalid, Timeouts{}},
		{"policyenv-prepare", "SET_BY_POLICY, which the policy sets", diag.PlanInvalid, Timeouts{}},
		{"note-prepare", "no plain sentence", diag.PlanInvalid, Timeouts{}},
		{"notecode-prepare", "unknown code all-is-well", diag.PlanInvalid, Timeouts{}},
		{"reason-prepare", "no plain sentence", diag.PlanInvalid, Timeouts{}},
		{"hash-prepare", "gives a hash", diag.PlanInvalid, Timeouts{}},
		{"inside-prepare", "lies in a writable root", diag.PluginUnsafe, Timeouts{}},
		{"foreign-prepare", "no part of the operating system", diag.PluginUnsafe, Timeouts{}},
		{"missing-prepare", "which cannot be", diag.PluginUnsafe, Timeouts{}},
		{"file-prepare", "etc/cron.d/x", diag.PlanInvalid, Timeouts{}},
		{"symbol-prepare", "leads out of the directory", diag.PlanInvalid, Timeouts{}},
		{"writes-prepare", "makes /etc writable", diag.PlanInvalid, Timeouts{}},
		{"shows-prepare", "which the policy hides", diag.PlanInvalid, Timeouts{}},
		{"proxy-prepare", "has a proxy, which the policy does not", diag.PlanInvalid, Timeouts{}},
		{"loopback-prepare", "opens port 5432", diag.PlanInvalid, Timeouts{}},
		{"publish-prepare", "publishes port 5432", diag.PlanInvalid, Timeouts{}},
		{"socket-prepare", "opens the socket /run/docker.sock", diag.PlanInvalid, Timeouts{}},
		{"reveals-prepare", "does not cover", diag.PlanInvalid, Timeouts{}},
		{"holds-prepare", "hold made, which the policy does not", diag.PlanInvalid, Timeouts{}},
		{"content-prepare", ".mcp.json made, which the policy does not", diag.PlanInvalid, Timeouts{}},
		{"moves-prepare", "hidden moved away, which the policy does not", diag.PlanInvalid, Timeouts{}},
		{"watches-prepare", "no git directory of the policy", diag.PlanInvalid, Timeouts{}},
		{"grants-prepare", "opens the socket /run/x.sock", diag.PlanInvalid, Timeouts{}},
		{"bare-prepare", "the plan", diag.PlanInvalid, Timeouts{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			work, resolved := workspace(t)
			r := shelf(t, c.name)
			found, err := r.Find(c.name)
			if err != nil {
				t.Fatal(err)
			}
			place(t, found, work, resolved)
			err = goThrough(t.Context(), found, resolved, Options{Reserved: []string{"linux/namespaces"}, Timeouts: c.timeouts, Log: func(string) {}})
			if code(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s with %q", err, c.code, c.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\x1b\u009b\u202e\x07\n") {
				t.Errorf("the message can drive a terminal: %q", err)
			}
			for _, pid := range running(t, found.Path) {
				t.Errorf("process %d is left", pid)
			}
		})
	}
}

// place puts what some lies name where they name it.
func place(t *testing.T, found registry.Plugin, work string, r *policy.Resolved) {
	t.Helper()
	foreign := filepath.Join(filepath.Dir(found.Path), "wrapper")
	for _, name := range []string{filepath.Join(work, "wrapper"), foreign} {
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	names := strings.Join([]string{work, foreign, filepath.Join(filepath.Dir(work), "hidden")}, "\n")
	if err := os.WriteFile(found.Path+".told", []byte(names), 0o600); err != nil {
		t.Fatal(err)
	}
}

// running lists the processes whose first argument is the path of a plugin.
func running(t *testing.T, path string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var list []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if first, _, _ := strings.Cut(string(text), "\x00"); err == nil && first == path {
			list = append(list, pid)
		}
	}
	return list
}

// TestNothingIsLeft: a plugin that stays at the end of its input, one with a
// child and one with an orphan end with all that they started.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"good", "stubborn", "child", "orphan"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := start(t, name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if list := running(t, p.plugin.Path); len(list) != 1 {
				t.Fatalf("processes of the plugin before the end: %v", list)
			}
			extra := 0
			if name == "child" || name == "orphan" {
				text, err := os.ReadFile(p.plugin.Path + ".says")
				if err != nil {
					t.Fatal(err)
				}
				if extra, err = strconv.Atoi(string(text)); err != nil || !alive(extra) {
					t.Fatalf("its child %q is not there before the end", text)
				}
			}
			p.Close()
			if list := running(t, p.plugin.Path); len(list) != 0 {
				t.Errorf("processes of the plugin after the end: %v", list)
			}
			for extra != 0 && alive(extra) { // it was killed; the test's own deadline is the bound
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}

// alive reports whether a process runs; one that nobody reaps is dead.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	f := strings.Fields(string(text)[strings.LastIndex(string(text), ")")+1:])
	return len(f) > 0 && f[0] != "Z" && f[0] != "X"
}

// TestHostKilled: when the host is killed no plugin is left, also one that does
// not look at its standard input.
func TestHostKilled(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"good", "stubborn"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := shelf(t, name)
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			host := exec.Command(self, "host", r.Places[0].Dir, r.StateDir)
			out, err := host.StdoutPipe()
			if err == nil {
				err = host.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatalf("the host said %q, %v", line, err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil || !alive(pid) {
				t.Fatalf("the plugin of the host is %q", line)
			}
			if err := host.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = host.Wait()
			for alive(pid) { // the test's own deadline is the bound
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}

// beHost starts the plugin of a registry, says its id, and waits to be killed.
func beHost(dir, state string) {
	r := registry.Registry{Places: []registry.Place{{Dir: dir, What: "user"}}, StateDir: state}
	list, err := r.List()
	if err != nil || len(list) != 1 {
		fmt.Println(list, err)
		os.Exit(1)
	}
	p, err := Start(context.Background(), list[0], Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.client.ID())
	select {}
}

// TestChanged: what changed after it was trusted, or is not trusted, is not
// started: its file would say so.
func TestChanged(t *testing.T) {
	t.Parallel()
	r := shelf(t, "child")
	found, err := r.Find("child")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(found.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(found.Path); err != nil { // a hard link: not to be written to
		t.Fatal(err)
	}
	if err := os.WriteFile(found.Path, append(text, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	// The caller still holds the old opinion.
	if p, err := Start(t.Context(), found, Options{}); code(err) != diag.PluginUntrusted {
		t.Errorf("changed: %v, %v", p, err)
	}
	if found, err = r.Find("child"); err != nil || found.State != registry.Changed {
		t.Fatalf("%+v, %v", found, err)
	}
	if p, err := Start(t.Context(), found, Options{}); code(err) != diag.PluginUntrusted {
		t.Errorf("changed: %v, %v", p, err)
	}
	if _, err := os.Stat(found.Path + ".says"); err == nil {
		t.Error("it was started")
	}
	if found, err = r.Trust(found, nil, time.Now()); err != nil { // the control
		t.Fatal(err)
	}
	p, err := Start(t.Context(), found, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := os.Stat(found.Path + ".says"); err != nil {
		t.Errorf("the trusted one was not started: %v", err)
	}
}

// TestSwapped: what takes the name of a program after it was hashed is not
// what is executed.
func TestSwapped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "caisson-backend-swapped")
	script := func(path, says string) {
		t.Helper()
		syscall.ForkLock.RLock() // a child that still has it open would make it busy
		defer syscall.ForkLock.RUnlock()
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+says+" >$TMPDIR/ran\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func() string {
		t.Helper()
		program, err := registry.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer program.Close()
		script(path+".new", "impostor")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		p := newProcess(program, dir, "swapped")
		if _, err := p.runnerFunc(nil, &exec.Cmd{}, ""); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer p.Kill(t.Context())
		<-p.done
		said, err := os.ReadFile(filepath.Join(dir, "ran"))
		if err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
	script(path, "hashed")
	if said := run(); said != "hashed\n" {
		t.Errorf("executed: %s", said)
	}
	if said := run(); said != "impostor\n" { // the control: its name leads to it now
		t.Errorf("executed after it was looked at anew: %s", said)
	}
}
