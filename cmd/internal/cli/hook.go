// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// maxHook bounds what an agent tells a hook, in bytes.
const maxHook = 4 << 20

// agentHook is how one agent lets a hook rewrite the command of its shell tool.
type agentHook struct {
	file    string // where the snippet goes
	snippet string // %s is the command of the hook, as a string of JSON
	answer  func(input map[string]json.RawMessage, decision string) any
}

func agentHooks() map[string]agentHook {
	preToolUse := func(input map[string]json.RawMessage, decision string) any {
		return map[string]any{"hookSpecificOutput": map[string]any{
			"hookEventName": "PreToolUse", "permissionDecision": decision, "updatedInput": input,
		}}
	}
	const claude = `{
  "hooks": {
    "PreToolUse": [
      {"matcher": "Bash", "hooks": [{"type": "command", "command": %s}]}
    ]
  }
}
`
	return map[string]agentHook{
		"claude": {"~/.claude/settings.json", claude, preToolUse},
		"codex":  {"~/.codex/hooks.json", claude, preToolUse},
		"cursor": {"~/.cursor/hooks.json", `{
  "version": 1,
  "hooks": {
    "preToolUse": [{"command": %s, "matcher": "Shell"}]
  }
}
`, func(input map[string]json.RawMessage, decision string) any {
			return map[string]any{"permission": decision, "updated_input": input}
		}},
	}
}

func (p *program) hookCommand() *cobra.Command {
	subs := make([]*cobra.Command, 0, 3)
	for _, name := range []string{"claude", "codex", "cursor"} {
		subs = append(subs, p.hookOf(name, agentHooks()[name]))
	}
	c := group("hook", "Have agents run the commands of their shell tool through caisson", subs...)
	c.Long = `Have agents run the commands of their shell tool through caisson sh.

print prints what belongs into the agent's file; run is what the agent calls then:
it reads the call of the tool and answers with the command wrapped. What an agent
does without its shell tool is not confined by this: to confine the whole agent, run
it by caisson run.`
	c.Example = "  caisson hook claude print"
	return c
}

func (p *program) hookOf(name string, h agentHook) *cobra.Command {
	var ask bool
	run := &cobra.Command{
		Use:   "run [flags]",
		Short: "Answer the agent: wrap the command that it is about to run",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			decision := "allow"
			if ask {
				decision = "ask"
			}
			return p.answerHook(h, decision)
		},
	}
	run.Flags().BoolVar(&ask, "ask", false, "have the agent ask its person all the same, where it can")
	print := &cobra.Command{
		Use:   "print [flags]",
		Short: "Print what belongs into " + h.file,
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find caisson: %w", err)
			}
			line := shellWord(self) + " hook " + name + " run"
			approval := "commands are then approved because they are confined; print --ask prints what has the agent ask"
			if ask {
				line += " --ask"
				approval = "the agent then asks before each command, where it can"
			}
			command, err := json.Marshal(line)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, h.snippet, command)
			p.say("put this into " + h.file + "; " + approval)
			return err
		},
	}
	print.Flags().BoolVar(&ask, "ask", false, "have the agent ask its person all the same, where it can")
	return group(name, "The hook of "+name, print, run)
}

// answerHook reads the call of a tool and writes it with its command wrapped. An
// error has a status by which agents do not run the command.
func (p *program) answerHook(h agentHook, decision string) error {
	refuse := func(why string) error {
		return diag.New(diag.UsageInvalid, "the call of the agent's tool: "+why, "nothing was run")
	}
	text, err := io.ReadAll(io.LimitReader(p.stdin, maxHook+1))
	if err != nil {
		return refuse(err.Error())
	}
	if len(text) > maxHook {
		return refuse("it is too long")
	}
	var call struct {
		Cwd   string                     `json:"cwd"`
		Roots []string                   `json:"workspace_roots"` // of Cursor
		Input map[string]json.RawMessage `json:"tool_input"`
	}
	var command string
	if err := json.Unmarshal(text, &call); err != nil {
		return refuse(err.Error())
	}
	if err := json.Unmarshal(call.Input["command"], &command); err != nil || command == "" {
		return refuse("it names no command")
	}
	if strings.ContainsRune(command, 0) {
		return refuse("its command holds a NUL character")
	}
	self, err := os.Executable()
	if err != nil {
		return refuse("caisson cannot be found: " + err.Error())
	}
	wrapped, err := json.Marshal(workspaceWord(append(call.Roots, call.Cwd)) + shellWord(self) + " sh -c " + shellWord(command))
	if err != nil {
		return errors.Join(refuse("its command cannot be written"), err)
	}
	call.Input["command"] = wrapped
	return json.NewEncoder(p.stdout).Encode(h.answer(call.Input, decision))
}

// workspaceWord names the workspace to the shell of a wrapped command: the project
// around the first absolute directory among those that the agent itself says it
// works in, or around the hook's own. The tool's call may start the command
// anywhere, and what the call says is the model's. The user's variables go first.
func workspaceWord(dirs []string) string {
	if os.Getenv(shWorkspace) != "" || os.Getenv(shPolicy) != "" {
		return ""
	}
	if cwd, err := os.Getwd(); err == nil {
		dirs = append(dirs, cwd)
	}
	i := slices.IndexFunc(dirs, filepath.IsAbs)
	if i < 0 {
		return ""
	}
	dir := dirs[i]
	if root := projectRoot(policy.OSHost(), dir); root != "" {
		dir = root
	}
	return shWorkspace + "=" + shellWord(dir) + " "
}

// shellWord quotes a word for every POSIX shell, byte for byte.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
