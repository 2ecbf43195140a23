// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/diag"
)

const (
	maxHook  = 4 << 20          // bounds what an agent tells a hook, in bytes
	hookTime = 20 * time.Second // after which agents, who let a hook of theirs take longer, are refused
)

func (p *program) hookCommand() *cobra.Command {
	var subs []*cobra.Command
	for _, h := range agentHooks() {
		subs = append(subs, p.hookOf(h))
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

func (p *program) hookOf(h agentHook) *cobra.Command {
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
			return p.answerHook(h, decision, hookTime)
		},
	}
	print := &cobra.Command{
		Use:   "print [flags]",
		Short: "Print what belongs into " + h.file,
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return p.printHook(h, ask) },
	}
	if h.asks {
		for _, c := range []*cobra.Command{run, print} {
			c.Flags().BoolVar(&ask, "ask", false, "have the agent ask its person all the same")
		}
	}
	return group(h.name, "The hook of "+h.name, print, run)
}

// guard stands after the command of a hook. Agents run a command all the same where
// its hook fails with any status but 2, as where caisson is not there any more, and
// Codex also with that status where nothing says why.
const guard = ` || { echo 'the hook of caisson failed, nothing was run' >&2; exit 2; }`

// printHook prints the agent's file.
func (p *program) printHook(h agentHook, ask bool) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find caisson: %w", err)
	}
	line, approval := shellWord(self)+" hook "+h.name+" run", "commands are then approved because they are confined"
	if ask {
		line += " --ask"
		approval = "the agent then asks before each command"
	} else if h.asks {
		approval += "; print --ask prints what has the agent ask"
	}
	var command strings.Builder
	text := json.NewEncoder(&command)
	text.SetEscapeHTML(false) // a person reads it
	if err := text.Encode(line + guard); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, h.snippet, strings.TrimSpace(command.String()))
	p.say("put this into " + h.file + "; " + approval)
	for _, note := range h.notes {
		p.say(note)
	}
	return err
}

// refuseCall has a status by which agents do not run the command.
func refuseCall(why string) error {
	return diag.New(diag.UsageInvalid, "the call of the agent's tool: "+why, "nothing was run")
}

// answerHook reads the call of a tool and writes it with its command wrapped. It
// takes no longer than limit: an agent runs the command where its own is over.
func (p *program) answerHook(h agentHook, decision string, limit time.Duration) error {
	type wrapped struct {
		input map[string]json.RawMessage
		err   error
	}
	done := make(chan wrapped, 1)
	go func() {
		input, err := wrapCall(h, p.stdin)
		done <- wrapped{input, err}
	}()
	select {
	case w := <-done:
		if w.err != nil {
			return w.err
		}
		return json.NewEncoder(p.stdout).Encode(h.answer(w.input, decision))
	case <-time.After(limit):
		return refuseCall("it could not be read in " + limit.String())
	}
}

// hookCall is what an agent says of the call of a tool. Of the model are the
// input and, with Codex, the directory.
type hookCall struct {
	Tool  string                     `json:"tool_name"`
	Cwd   string                     `json:"cwd"`
	Roots []string                   `json:"workspace_roots"` // of Cursor
	Input map[string]json.RawMessage `json:"tool_input"`
}

// wrapCall reads the call of a tool and gives its input with the command wrapped.
func wrapCall(h agentHook, from io.Reader) (map[string]json.RawMessage, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxHook+1))
	if err != nil {
		return nil, refuseCall(err.Error())
	}
	if len(text) > maxHook {
		return nil, refuseCall("it is too long")
	}
	var call hookCall
	if err := json.Unmarshal(text, &call); err != nil {
		return nil, refuseCall(err.Error())
	}
	if !slices.Contains(h.tools, call.Tool) {
		return nil, refuseCall(diag.Quote(call.Tool) + " is no tool whose commands a POSIX shell runs")
	}
	var command string
	if err := json.Unmarshal(call.Input["command"], &command); err != nil || command == "" {
		return nil, refuseCall("it names no command")
	}
	if strings.ContainsRune(command, 0) {
		return nil, refuseCall("its command holds a NUL character")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, refuseCall("caisson cannot be found: " + err.Error())
	}
	workspace, err := workspaceWord(h, call)
	if err != nil {
		return nil, err
	}
	wrapped, err := json.Marshal(workspace + shellWord(self) + " sh -c " + shellWord(command))
	if err != nil {
		return nil, refuseCall("its command cannot be written: " + err.Error())
	}
	call.Input["command"] = wrapped
	return call.Input, nil
}

// workspaceWord names the workspace to the shell of a wrapped command: that of
// the user's variables, else the agent's project. Where the model has the command
// started chooses nothing.
func workspaceWord(h agentHook, call hookCall) (string, error) {
	if os.Getenv(shWorkspace) != "" || os.Getenv(shPolicy) != "" {
		return "", nil
	}
	dir, err := h.project(call)
	if err != nil {
		return "", err
	}
	return shWorkspace + "=" + shellWord(dir) + " ", nil
}

// shellWord quotes a word for every POSIX shell, byte for byte.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
