// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAgents tries each agent in one place. The tests come one after another.
func TestAgents(t *testing.T) {
	for _, of := range tools() {
		t.Run(of.name, func(t *testing.T) {
			p := newPlace(t, of)
			for _, test := range []struct {
				name string
				run  func(*testing.T, *place)
			}{
				{"confined", confined}, {"noted", noted}, {"commands", commands}, {"inputs", inputs}, {"long", long}, {"background", background},
				{"others", others}, {"second", second}, {"failing", failing}, {"asking", asking}, {"switched", switched}, {"unconfined", unconfined},
			} {
				t.Run(test.name, func(t *testing.T) {
					if test.run(t, p); t.Failed() {
						p.found(t) // the next one has nothing to do with it
					}
				})
			}
		})
	}
}

// allowed are the flags by which an agent without a hook runs what it is asked.
func (p *place) allowed() []string {
	if p.name == "claude" {
		return []string{"--allowedTools", "Bash,Monitor,Skill,Agent"}
	}
	return nil
}

// both runs a script without the hook and with it, and gives what tools answered.
// Without it each of the names is made outside and in the project, with it in the
// project alone.
func (p *place) both(t *testing.T, names []string, script, second []call, flags ...string) (without, with []string) {
	t.Helper()
	for _, hooked := range []bool{false, true} {
		hooks := "{}"
		if hooked {
			hooks = p.printed(t)
		}
		p.install(t, hooks)
		m := startModel(t, script...)
		m.second = second
		results := p.ask(t, m, append(p.allowed(), flags...)...)
		outside, inside := p.found(t)
		want := names
		if hooked {
			want, with = nil, results
		} else {
			without = results
		}
		if !slices.Equal(outside, want) || !slices.Equal(inside, names) {
			t.Errorf("hooked %v: outside there are %q, in the project %q, want %q and %q; tools answered %q, %q", hooked, outside, inside, want, names, results, m.after)
		}
	}
	return without, with
}

// confined: the model reads what was denied. The hook alone approves the command.
func confined(t *testing.T, p *place) {
	script := []call{p.shell(t, p.touching("made")+"; echo CAISSON=$CAISSON")}
	without, with := p.both(t, []string{"made"}, script, nil)
	if !strings.Contains(without[0], "CAISSON=\n") && !strings.HasSuffix(without[0], "CAISSON=") {
		t.Errorf("without the hook the tool answered %q", without[0])
	}
	if !strings.Contains(with[0], "CAISSON=1") || !strings.Contains(with[0], "Read-only file system") {
		t.Errorf("with the hook the tool answered %q", with[0])
	}
	results := p.ask(t, startModel(t, script...)) // without flags
	if outside, inside := p.found(t); outside != nil || !slices.Equal(inside, []string{"made"}) {
		t.Errorf("with the hook and no flags: outside %q, inside %q; the tool answered %q", outside, inside, results)
	}
}

// noted: the model reads what caisson says of a denial, with what would allow it.
func noted(t *testing.T, p *place) {
	bait := httptest.NewServer(http.NotFoundHandler())
	defer bait.Close()
	address := strings.TrimPrefix(bait.URL, "http://")
	host, port, _ := strings.Cut(address, ":")
	script := []call{p.shell(t, p.touching("asked")+"; bash -c 'exec 3<>/dev/tcp/"+host+"/"+port+" && echo REACHED'")}
	without, with := p.both(t, []string{"asked"}, script, nil)
	if !strings.Contains(without[0], "REACHED") {
		t.Errorf("without the hook: %q", without)
	}
	if strings.Contains(with[0], "REACHED") || !strings.Contains(with[0], "caisson: denied: connect net:"+address) || !strings.Contains(with[0], "--allow-loopback "+port) {
		t.Errorf("with the hook: %q", with)
	}
}

// output is what of an answer the command has written.
func output(answer string) string {
	if _, out, ok := strings.Cut(answer, "Output:\n"); ok {
		answer = out // of Codex, after ids and times
	}
	return strings.TrimRight(answer, "\n")
}

// commands come through as they are: what they write is the same with the hook.
// They are those of any POSIX shell, since that of the agent may be another than
// that of caisson sh.
func commands(t *testing.T, p *place) {
	var script []call
	var names []string
	for i, command := range []string{
		`echo "it's" 'a "word"' \$HOME $((1+1)) ` + "`echo back`",
		"cat <<'EOF'\n$x 'one' \"two\" \\ `three`\nEOF",
		"cat <<EOF\n$(echo inner) ' \" \\\\\nEOF\n",
		"cat <<-\"it's\"\n\ttabbed '\nit's\n",
		"echo 'grüße \u202e\u200b 日本 \U0001f980 é'",
		"echo one\necho two\n\n\techo three # and a comment ' \"",
		"printf '%s|' '' ' ' '\\n' \"a\tb\" \\'; printf '\\377\\n' | od -c",
		"a='x y'; for i in $a; do (echo $i); done; echo \"${a% *}\" | { read r; echo $r; }",
		"echo to-stderr >&2; exit 3",
		"false || echo \"a'b\" && ! true; echo $?",
		"! echo '!$ !!' \\\n  continued",
		"set -- \"$@\" x; echo $# $1; : '" + strings.Repeat("'\\''", 20) + "'",
	} {
		names = append(names, fmt.Sprintf("c%02d", i))
		script = append(script, p.shell(t, "{ "+p.touching(names[i])+"; } 2>/dev/null\n"+command))
	}
	without, with := p.both(t, names, script, nil)
	for i := range script {
		if output(without[i]) != output(with[i]) || without[i] == "" {
			t.Errorf("%s: %q without the hook, %q with it", script[i].input, without[i], with[i])
		}
	}
}

// inputs are those that no hook expects: nothing comes of them outside.
func inputs(t *testing.T, p *place) {
	key, name, odd := "command", "Bash", `"dangerouslyDisableSandbox": true, "run_in_background": "no"`
	if p.name == "codex" {
		key, name = "cmd", "exec_command"
		odd = `"sandbox_permissions": "require_escalated", "justification": "x", "shell": "` + p.work + `/.shell", "login": false, "tty": true`
	}
	p.write(t, filepath.Join(p.work, ".shell"), "#!/bin/sh\n"+p.touching("shell")+"\n")
	if err := os.Chmod(filepath.Join(p.work, ".shell"), 0o755); err != nil {
		t.Fatal(err)
	}
	touch := fmt.Sprintf("%q: %q", key, p.touching("odd"))
	p.install(t, p.printed(t))
	var script []call
	for _, input := range []string{
		`{` + touch + `, ` + odd + `}`,
		`{"` + key + `": "true", ` + touch + `}`,
		`{` + touch + `, "` + key + `": "true"}`,
		`{` + touch,
		`{"` + key + `": ["sh", "-c", "` + p.touching("odd") + `"]}`,
		`{"` + key + `": {"` + key + `": "` + p.touching("odd") + `"}}`,
		`{"` + key + `": "\u0000", ` + touch + `}`,
		`{"` + key + `": "` + p.touching("odd") + ` \u0000 \ud800"}`,
		`{"` + strings.ToUpper(key) + `": "` + p.touching("odd") + `"}`,
		`[` + touch + `]`, `null`, `"` + p.touching("odd") + `"`, ``,
	} {
		script = append(script, call{tool: name, input: input})
	}
	script = append(script, p.shell(t, p.touching("well")))
	results := p.ask(t, startModel(t, script...))
	outside, inside := p.found(t)
	if outside != nil || !slices.Contains(inside, "well") {
		t.Errorf("outside %q, inside %q; tools answered %q", outside, inside, results)
	}
	if p.name != "codex" {
		return
	}
	// The directory that the model chooses is a workspace of nobody's.
	script = []call{p.shell(t, p.touching("there")+"; touch ../work/here ../out/here", object{"workdir": p.out})}
	p.both(t, []string{"here", "there"}, script, nil)
}

// long: a command that one word of the system does not hold is not run.
func long(t *testing.T, p *place) {
	fill := func(n int) string { return "; : '" + strings.Repeat("x", n) + "'" }
	p.both(t, []string{"fits"}, []call{p.shell(t, p.touching("fits")+fill(60_000))}, nil)
	p.install(t, p.printed(t))
	for _, n := range []int{130_000, 140_000, 1 << 20, 5 << 20} {
		results := p.ask(t, startModel(t, p.shell(t, p.touching("fits")+fill(n))))
		if outside, _ := p.found(t); outside != nil {
			t.Errorf("of %d characters: outside %q; the tool answered %.300q", n, outside, results)
		}
	}
}

// background has a command run on while the model asks for more.
func background(t *testing.T, p *place) {
	end := "; until test -e " + filepath.Join(p.work, "go") + "; do sleep 0.05; done; " + p.touching("late")
	script := []call{
		p.shell(t, p.touching("early")+end, object{"run_in_background": true}),
		p.shell(t, p.touching("go")+"; until test -e "+filepath.Join(p.work, "late")+"; do sleep 0.05; done"),
	}
	names := []string{"early", "go", "late"}
	if p.name == "codex" {
		script = []call{
			p.shell(t, "sh", object{"tty": true, "yield_time_ms": 250}),
			calling(t, "write_stdin", object{"session_id": "SESSION", "chars": p.touching("typed") + "\n"}),
			p.shell(t, "until test -e "+filepath.Join(p.work, "typed")+"; do sleep 0.05; done"),
			calling(t, "write_stdin", object{"session_id": "SESSION", "chars": "\x03exit\n"}),
		}
		names = []string{"typed"}
	}
	p.both(t, names, script, nil)
}

// others are the other ways of an agent to run a command.
func others(t *testing.T, p *place) {
	if p.name == "codex" {
		js := "const r = await tools.exec_command({cmd: `" + p.touching("code") + "`}); text(JSON.stringify(r));"
		p.both(t, []string{"code"}, []call{{tool: "exec", input: js, plain: true}}, nil, "-c", "features.code_mode=true")
		// Without the hook Codex takes a patch in a shell for one of its own.
		patch := func(dir string) call {
			return p.shell(t, "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: "+dir+"/patched\n+x\n*** End Patch\nEOF\n")
		}
		p.install(t, p.printed(t))
		results := p.ask(t, startModel(t, patch(p.out), patch(p.work)))
		if outside, _ := p.found(t); outside != nil {
			t.Errorf("outside %q; the tool answered %q", outside, results)
		}
		return
	}
	load := calling(t, "ToolSearch", object{"query": "select:Monitor", "max_results": 5})
	monitor := calling(t, "Monitor", object{"description": "x", "timeout_ms": 60000, "command": p.touching("monitored")})
	wait := p.shell(t, "until test -e "+filepath.Join(p.work, "monitored")+"; do sleep 0.05; done")
	p.both(t, []string{"monitored"}, []call{load, monitor, wait}, nil)

	// Commands in skills ask no hook: they are switched off.
	skill := filepath.Join(p.work, ".claude", "skills", "s", "SKILL.md")
	p.write(t, skill, "---\nname: s\ndescription: a skill\nallowed-tools: Bash\n---\nHello !`"+p.touching("skill")+"`\n")
	for _, hooked := range []bool{false, true} {
		hooks, want := "{}", []string{"skill"}
		if hooked {
			hooks, want = p.printed(t), nil
		}
		p.install(t, hooks)
		results := p.ask(t, startModel(t, calling(t, "Skill", object{"skill": "s"})), p.allowed()...)
		if outside, inside := p.found(t); !slices.Equal(outside, want) || !slices.Equal(inside, want) {
			t.Errorf("hooked %v: outside %q, inside %q; the tool answered %q", hooked, outside, inside, results)
		}
	}
}

// second has the agent start another one.
func second(t *testing.T, p *place) {
	command := []call{p.shell(t, p.touching("second"))}
	start := calling(t, "Agent", object{"description": "x", "prompt": toSecond, "run_in_background": false})
	if p.name == "codex" {
		start = calling(t, "spawn_agent", object{"message": toSecond})
		start.space = "multi_agent_v1"
	}
	wait := p.shell(t, "until test -e "+filepath.Join(p.work, "second")+"; do sleep 0.05; done")
	p.both(t, []string{"second"}, []call{start, wait}, command)
}

// unconfined is what no hook confines, a file that the agent itself writes, and
// what confines it: the agent as a whole in caisson.
func unconfined(t *testing.T, p *place) {
	p.install(t, p.printed(t))
	script := []call{p.shell(t, p.touching("ran"))}
	flags := p.allowed()
	if p.name == "claude" {
		flags = append(flags, "--permission-mode", "bypassPermissions")
		write := func(dir string) call {
			return calling(t, "Write", object{"file_path": filepath.Join(dir, "written"), "content": "x"})
		}
		script = append(script, write(p.out), write(p.work))
		results := p.ask(t, startModel(t, script...), flags...)
		if outside, inside := p.found(t); !slices.Equal(outside, []string{"written"}) || !slices.Equal(inside, []string{"ran", "written"}) {
			t.Errorf("the hook alone: outside %q, inside %q; tools answered %q", outside, inside, results)
		}
	}
	if strings.HasPrefix(p.agents, "/tmp/") {
		t.Skip("the agent is in /tmp, of which commands have one of their own")
	}
	p.install(t, "{}")
	results := p.whole(t, startModel(t, script...), flags...)
	outside, inside := p.found(t)
	if outside != nil || len(inside) == 0 || len(script) > 1 && len(inside) != 2 {
		t.Errorf("the agent as a whole: outside %q, inside %q; tools answered %q", outside, inside, results)
	}
}
