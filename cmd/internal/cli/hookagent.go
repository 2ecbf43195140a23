// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/caisson-sandbox/caisson/core/policy"
)

// agentHook is how one agent lets a hook rewrite the command of its shell tool.
type agentHook struct {
	name    string
	file    string                              // where the snippet goes
	snippet string                              // %s is the command of the hook, as a string of JSON
	notes   []string                            // what else a person must know
	tools   []string                            // whose commands a POSIX shell runs
	asks    bool                                // it heeds the decision to ask its person
	project func(call hookCall) (string, error) // the directory that the agent works in, in which the model has no say
	answer  func(input map[string]json.RawMessage, decision string) any
}

// agentHooks are the agents that are known. docs/agents.md says which of them were
// tried, and what was seen.
func agentHooks() []agentHook {
	preToolUse := func(input map[string]json.RawMessage, decision string) any {
		return map[string]any{"hookSpecificOutput": map[string]any{
			"hookEventName": "PreToolUse", "permissionDecision": decision, "updatedInput": input,
		}}
	}
	return []agentHook{{
		name: "claude",
		file: "~/.claude/settings.json",
		// Monitor runs commands too, and takes no rewritten one from the hooks of
		// Bash. Commands in skills ask no hook.
		snippet: `{
  "hooks": {
    "PreToolUse": [
      {"matcher": "Bash|Monitor|PowerShell", "hooks": [{"type": "command", "command": %s}]}
    ]
  },
  "disableAllHooks": false,
  "disableSkillShellExecution": true
}
`,
		notes: []string{"a checkout's .claude/settings.json can switch these hooks off; it cannot where this is a file of claude --settings FILE, " +
			"or the managed-settings.json of the machine",
			"rules of Claude Code about the words of a command, as Bash(rm:*), see the wrapped one and do not match it"},
		tools:   []string{"Bash", "Monitor"},
		asks:    true,
		project: claudeProject,
		answer:  preToolUse,
	}, {
		name: "codex",
		file: "~/.codex/hooks.json",
		snippet: `{
  "hooks": {
    "PreToolUse": [
      {"matcher": "Bash", "hooks": [{"type": "command", "command": %s}]}
    ]
  }
}
`,
		notes: []string{"Codex skips a hook, and says nothing, until you trust it: start codex and review it in /hooks, again after each change",
			`commands run in one sandbox, not two: sandbox_mode = "danger-full-access" leaves them to caisson, and Codex's own edits of files to nobody`},
		tools:   []string{"Bash"}, // what Codex calls every shell tool of its
		project: codexProject,
		answer:  preToolUse,
	}, {
		name: "cursor",
		file: "~/.cursor/hooks.json",
		snippet: `{
  "version": 1,
  "hooks": {
    "preToolUse": [{"command": %s, "matcher": "Shell", "failClosed": true}]
  }
}
`,
		notes:   []string{"this was never tried with Cursor: see whether a command that writes outside the project fails"},
		tools:   []string{"Shell"},
		project: cursorProject,
		answer: func(input map[string]json.RawMessage, decision string) any {
			return map[string]any{"permission": decision, "updated_input": input}
		},
	}}
}

// claudeProject is where Claude Code was started, or a worktree that it made in
// there: commands cannot write in its .claude. A worktree elsewhere may be one that
// a command has invented.
func claudeProject(call hookCall) (string, error) {
	dir := os.Getenv("CLAUDE_PROJECT_DIR")
	if !filepath.IsAbs(dir) {
		return "", refuseCall("CLAUDE_PROJECT_DIR names no directory")
	}
	project := projectAround(dir)
	if filepath.IsAbs(call.Cwd) {
		worktree := projectAround(call.Cwd)
		if strings.HasPrefix(worktree, filepath.Join(project, ".claude", "worktrees")+string(filepath.Separator)) {
			return worktree, nil
		}
	}
	return project, nil
}

// codexProject is where Codex starts its hooks, the directory of the session. What
// it says of the call is the directory that the model chose.
func codexProject(hookCall) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", refuseCall("the directory of the session: " + err.Error())
	}
	return projectAround(dir), nil
}

// cursorProject is the first folder that is open.
func cursorProject(call hookCall) (string, error) {
	if len(call.Roots) == 0 || !filepath.IsAbs(call.Roots[0]) {
		return "", refuseCall("workspace_roots names no directory")
	}
	return projectAround(call.Roots[0]), nil
}

// projectAround is the root of the repository around a directory, or the directory.
func projectAround(dir string) string {
	if root := projectRoot(policy.OSHost(), dir); root != "" {
		return root
	}
	return dir
}
