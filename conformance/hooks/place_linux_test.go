// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience bounds what must happen. Nothing is judged by how long it takes.
const patience = 5 * time.Minute

// tool is an agent as the tests know it.
type tool struct {
	name  string
	shell func(t testing.TB, command string, more ...object) call // asks for a command
	hooks string                                                  // its file, below the home
	start func(p *place, m *model, flags []string) *exec.Cmd
}

func tools() []tool {
	return []tool{{
		name: "claude",
		shell: func(t testing.TB, command string, more ...object) call {
			return calling(t, "Bash", append(more, object{"command": command})...)
		},
		hooks: ".claude/settings.json",
		start: func(p *place, m *model, flags []string) *exec.Cmd {
			cmd := p.command(filepath.Join(p.agents, "claude"), append([]string{"-p", "Go on."}, flags...)...)
			// Root may skip permissions where IS_SANDBOX says so alone.
			cmd.Env = append(cmd.Env, "IS_SANDBOX=1", "ANTHROPIC_BASE_URL="+m.URL, "ANTHROPIC_API_KEY=none", "DISABLE_AUTOUPDATER=1",
				"DISABLE_TELEMETRY=1", "DISABLE_ERROR_REPORTING=1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1")
			return cmd
		},
	}, {
		name: "codex",
		shell: func(t testing.TB, command string, more ...object) call {
			return calling(t, "exec_command", append(more, object{"cmd": command})...)
		},
		hooks: ".codex/hooks.json",
		start: func(p *place, m *model, flags []string) *exec.Cmd {
			// None of Codex's own sandbox: caisson cannot make one in there.
			cmd := p.command(filepath.Join(p.agents, "codex"), append([]string{"exec", "--skip-git-repo-check", "--sandbox", "danger-full-access",
				"-c", "model_provider=test", "-c", "model=none", "-c", "check_for_update_on_startup=false", "-c", "analytics.enabled=false",
				"-c", `model_providers.test={name="test",base_url="` + m.URL + `/v1",env_key="TEST_KEY",wire_api="responses"}`}, append(flags, "Go on.")...)...)
			cmd.Env = append(cmd.Env, "TEST_KEY=none")
			return cmd
		},
	}}
}

// place is where an agent works: nothing of it is the user's.
type place struct {
	tool
	agents  string // the directory of the agents' programs
	caisson string
	home    string
	work    string // the project
	out     string // where nothing confined writes
}

// newPlace makes one.
func newPlace(t testing.TB, of tool) *place {
	t.Helper()
	prefix := os.Getenv("CAISSON_E2E_AGENTS")
	if prefix == "" {
		t.Skip("make e2e-agents runs this")
	}
	parent := "/var" // not below a temporary directory: those are private inside
	if os.Geteuid() != 0 {
		parent = os.Getenv("HOME")
	}
	dir, err := os.MkdirTemp(parent, "caisson-agents-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, dir) })
	p := &place{
		tool: of, agents: filepath.Join(prefix, "node_modules", ".bin"), caisson: filepath.Join(dir, "bin", "caisson"),
		home: filepath.Join(dir, "home"), work: filepath.Join(dir, "work"), out: filepath.Join(dir, "out"),
	}
	for _, name := range []string{p.work, p.out, filepath.Join(p.home, filepath.Dir(of.hooks)), filepath.Dir(p.caisson)} {
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-trimpath", "-o", p.caisson, "github.com/caisson-sandbox/caisson/cmd/caisson").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := p.command(p.caisson, "doctor", "--facts-only").CombinedOutput(); err != nil {
		t.Skipf("this host cannot uphold the standard contract: %v: %s", err, out)
	}
	if out, err := p.command("git", "init", "--quiet").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := p.command(filepath.Join(p.agents, of.name), "--version").Output()
	if err != nil {
		t.Fatalf("%s --version: %v", of.name, err)
	}
	t.Logf("%s", out)
	return p
}

// remove removes what an agent, that may be about to end, still writes into.
func remove(t testing.TB, dir string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if err := os.RemoveAll(dir); err == nil || time.Now().After(end) {
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}

// command is one in the project with the environment of the place.
func (p *place) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.work
	cmd.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1"}
	return cmd
}

// write writes a file of the agent or the project.
func (p *place) write(t testing.TB, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// printed is what caisson hook prints for the agent.
func (p *place) printed(t testing.TB, flags ...string) string {
	t.Helper()
	out, err := p.command(p.caisson, append([]string{"hook", p.name, "print"}, flags...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// install has the agent use a file of hooks, which its person trusts, or none.
func (p *place) install(t testing.TB, hooks string) {
	t.Helper()
	p.write(t, filepath.Join(p.home, p.hooks), hooks)
	if p.name != "codex" {
		return
	}
	config := filepath.Join(p.home, ".codex", "config.toml")
	p.write(t, config, "")
	var trusted strings.Builder
	for _, h := range p.untrusted(t) {
		fmt.Fprintf(&trusted, "[hooks.state.%q]\ntrusted_hash = %q\n", h.Key, h.CurrentHash)
	}
	p.write(t, config, trusted.String())
}

// hookOfCodex is what Codex shows its person of a hook.
type hookOfCodex struct{ Key, CurrentHash, TrustStatus string }

// untrusted asks Codex, as its window /hooks does, which hooks wait for a review.
func (p *place) untrusted(t testing.TB) []hookOfCodex {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server := p.command(filepath.Join(p.agents, "codex"), "app-server")
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer context.AfterFunc(ctx, func() { _ = server.Process.Kill() })()
	fmt.Fprintf(in, "%s\n%s\n%s\n", `{"id":1,"method":"initialize","params":{"clientInfo":{"name":"test","version":"1"}}}`,
		`{"method":"initialized"}`, `{"id":2,"method":"hooks/list","params":{"cwds":["`+p.work+`"]}}`)
	var found []hookOfCodex
	answered := false
	for lines := bufio.NewScanner(out); !answered && lines.Scan(); {
		var answer struct {
			ID     int
			Result struct {
				Data []struct{ Hooks []hookOfCodex }
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &answer); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		if answer.ID == 2 {
			answered = true
			for _, d := range answer.Result.Data {
				found = append(found, d.Hooks...)
			}
		}
	}
	in.Close()
	_ = server.Process.Kill() // it has answered
	_ = server.Wait()
	if !answered {
		t.Fatal("codex app-server lists no hooks")
	}
	return slices.DeleteFunc(found, func(h hookOfCodex) bool { return h.TrustStatus != "untrusted" })
}

// ask has the agent do what a model asks for, to its end.
func (p *place) ask(t testing.TB, m *model, flags ...string) (results []string) {
	t.Helper()
	cmd := p.start(p, m, flags)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Minute
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	results, _ = m.heard()
	if err != nil || len(results) != len(m.script) {
		t.Fatalf("%s: %v, and %d of %d calls were answered: %q\n%s", p.name, err, len(results), len(m.script), results, out.String())
	}
	return results
}

// whole has an agent, which is to have no hook, run in caisson as a whole.
func (p *place) whole(t testing.TB, m *model, flags ...string) (results []string) {
	t.Helper()
	_, port, ok := strings.Cut(strings.TrimPrefix(m.URL, "http://"), ":")
	if !ok {
		t.Fatal(m.URL)
	}
	inside := *p
	inside.start = func(_ *place, m *model, more []string) *exec.Cmd {
		agent := p.start(p, m, more)
		cmd := p.command(p.caisson, slices.Concat([]string{"run", "--allow-loopback", port, "--write", filepath.Join(p.home, filepath.Dir(p.hooks)),
			"--env", "ANTHROPIC_API_KEY", "--env", "TEST_KEY", "--"}, agent.Args)...)
		cmd.Env = agent.Env
		return cmd
	}
	return inside.ask(t, m, flags...)
}

// found takes away the files that are outside and in the project, and says which.
func (p *place) found(t testing.TB) (outside, inside []string) {
	t.Helper()
	for dir, names := range map[string]*[]string{p.out: &outside, p.work: &inside} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") {
				continue // the repository, and the settings of agents
			}
			*names = append(*names, e.Name())
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	return outside, inside
}

// touching is a command that makes a file outside and one in the project.
func (p *place) touching(name string) string {
	return "touch " + filepath.Join(p.out, name) + "; touch " + filepath.Join(p.work, name)
}
