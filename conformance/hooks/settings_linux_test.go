// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSettings: what caisson policy import is tried with are settings that the
// tools themselves read, and not where they hold an error.
func TestSettings(t *testing.T) {
	p := newPlace(t, tools()[1]) // Codex, whose program is started as for a task
	for _, c := range []struct{ file, bad, mistake string }{
		{"claude.json", `"enabled": true`, `"enabled": "yes"`},
		{"codex.toml", `inherit = "core"`, `inherits = "core"`},
		{"codexprofile.toml", `"vendor" = "read"`, `"vendor" = "all"`},
		{"srt.json", `"denyRead": [`, `"denyRead": [1, `},
	} {
		text, err := os.ReadFile(filepath.Join("../../core/policy/foreign/testdata", c.file))
		if err != nil {
			t.Fatal(err)
		}
		for _, good := range []bool{true, false} {
			if !good {
				mistaken := strings.Replace(string(text), c.bad, c.mistake, 1)
				if mistaken == string(text) {
					t.Fatalf("%s holds no %q", c.file, c.bad)
				}
				text = []byte(mistaken)
			}
			if said, reads := p.reads(t, c.file, string(text)); reads != good {
				t.Errorf("%s, good %v: %s", c.file, good, said)
			}
		}
	}
}

// reads says whether a tool takes a settings file.
func (p *place) reads(t *testing.T, file, text string) (said string, reads bool) {
	t.Helper()
	switch file {
	case "claude.json":
		p.write(t, filepath.Join(p.home, ".claude", "settings.json"), text)
		out, _ := p.command(filepath.Join(p.agents, "claude"), "doctor").CombinedOutput() // it has no key to sign in by
		return string(out), strings.Contains(string(out), "Claude Code doctor") && !strings.Contains(string(out), "Invalid settings")
	case "codex.toml", "codexprofile.toml":
		p.write(t, filepath.Join(p.home, ".codex", "config.toml"), text)
		m := startModel(t)
		out, err := p.start(p, m, []string{"--strict-config"}).CombinedOutput()
		return string(out), err == nil
	}
	name := filepath.Join(p.home, file)
	p.write(t, name, text)
	schema := filepath.Join(p.agents, "../@anthropic-ai/sandbox-runtime/dist/sandbox/sandbox-config.js")
	out, err := p.command("node", "--input-type=module", "-e", `import fs from "fs"
		const { SandboxRuntimeConfigSchema } = await import(process.argv[1])
		SandboxRuntimeConfigSchema.parse(JSON.parse(fs.readFileSync(process.argv[2])))`, schema, name).CombinedOutput()
	return string(out), err == nil
}
