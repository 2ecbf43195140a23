// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// codexHook is one whose project is the directory of the test.
func codexHook(t testing.TB) agentHook {
	t.Helper()
	for _, h := range agentHooks() {
		if h.name == "codex" {
			return h
		}
	}
	t.Fatal("there is no hook of codex")
	return agentHook{}
}

// TestHookTakesNoLonger: an agent whose hook never answers would run the command.
func TestHookTakesNoLonger(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{false, true} {
		in, agent, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		answer, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		limit := time.Millisecond
		if told {
			limit = time.Hour
			if _, err := io.WriteString(agent, `{"tool_name": "Bash", "tool_input": {"command": "true"}}`); err != nil {
				t.Fatal(err)
			}
			agent.Close()
		}
		err = (&program{stdin: in, stdout: out}).answerHook(codexHook(t), "allow", limit)
		if (err == nil) != told {
			t.Errorf("told %v: %v", told, err)
		}
		out.Close()
		if text, _ := io.ReadAll(answer); (len(text) > 0) != told {
			t.Errorf("told %v: it answered %q", told, text)
		}
		agent.Close()
		answer.Close()
	}
}

// FuzzWrapCall: whatever an agent says, what it is told to run is caisson with the
// whole command as one word, or nothing.
func FuzzWrapCall(f *testing.F) {
	for _, command := range []string{"true", "it's", "a\nb", "\u00e9\u202e\\", "' ; touch x '", `\ud800`} {
		text, _ := json.Marshal(command)
		f.Add([]byte(`{"tool_name": "Bash", "cwd": "/", "tool_input": {"command": ` + string(text) + `, "timeout": 1}}`))
	}
	f.Add([]byte(`{"tool_name": "Bash", "tool_input": {"command": "\ud800", "command": "\u0000"}}`))
	f.Add([]byte(`{"tool_name": "Bash", "tool_input": null}`))
	h := codexHook(f)
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := wrapCall(h, strings.NewReader(string(text)))
		if err != nil {
			return
		}
		var call hookCall
		var command, wrapped string
		if json.Unmarshal(text, &call) != nil || json.Unmarshal(call.Input["command"], &command) != nil || json.Unmarshal(got["command"], &wrapped) != nil {
			t.Fatalf("%q was wrapped as %q", text, got)
		}
		workspace, rest, found := strings.Cut(wrapped, " '"+self+"' sh -c '")
		// Within quotes a POSIX shell knows nothing but the next quote.
		inside, closed := strings.CutSuffix(strings.ReplaceAll(rest, `'\''`, "\x00"), "'")
		if !found || !closed || !strings.HasPrefix(workspace, shWorkspace+"='") || strings.Contains(inside, "'") || strings.ReplaceAll(inside, "\x00", "'") != command {
			t.Errorf("%q is told to run as %q", command, wrapped)
		}
	})
}
