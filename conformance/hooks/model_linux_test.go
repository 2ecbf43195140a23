// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// call is a call of a tool that the model asks for.
type call struct {
	tool  string
	input string // as a model writes it: JSON where it is well
	plain bool   // for a tool of Codex that takes plain text
	space string // the namespace of a tool of Codex
}

// calling makes a call of objects, whose members it takes together.
func calling(t testing.TB, tool string, inputs ...object) call {
	t.Helper()
	all := object{}
	for _, input := range inputs {
		maps.Copy(all, input)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return call{tool: tool, input: string(text)}
}

// model stands for the service that an agent asks what to do. It asks for the
// calls of its script one after another, each when the one before was answered,
// and then says that it is done. It speaks as much as agents need of Anthropic's
// Messages and of OpenAI's Responses.
type model struct {
	*httptest.Server
	script []call
	second []call // for an agent that the first one starts with toSecond

	mu      sync.Mutex
	offered []string // the tools that the agent has
	results []string // what they answered
	after   []string // what those of the second answered
	other   []string // requests for anything else
}

func startModel(t testing.TB, script ...call) *model {
	t.Helper()
	m := &model{script: script}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

func (m *model) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the agent went away
	}
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/messages"):
		m.messages(w, body)
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/responses"):
		m.responses(w, body)
	default:
		m.mu.Lock()
		m.other = append(m.other, r.Method+" "+r.URL.Path)
		m.mu.Unlock()
		http.NotFound(w, r)
	}
}

// session is how Codex names a command that goes on; "SESSION" in the input of a
// later call stands for it.
var session = regexp.MustCompile(`session ID (\d+)`)

// toSecond is what an agent of an agent is asked.
const toSecond = "You are the second one."

// next notes what a request brought and gives the call to answer with, or nil
// where the script is over.
func (m *model) next(second bool, offered, results []string) *call {
	m.mu.Lock()
	defer m.mu.Unlock()
	if second {
		if len(results) > len(m.after) {
			m.after = results
		}
		if len(results) >= len(m.second) {
			return nil
		}
		return &m.second[len(results)]
	}
	m.offered = offered
	if len(results) > len(m.results) {
		m.results = results
	}
	if len(results) >= len(m.script) {
		return nil
	}
	wanted := m.script[len(results)]
	if s := session.FindAllStringSubmatch(strings.Join(results, "\n"), -1); s != nil {
		wanted.input = strings.ReplaceAll(wanted.input, `"SESSION"`, s[len(s)-1][1])
	}
	return &wanted
}

// heard gives what tools answered so far, and which were offered.
func (m *model) heard() (results, offered []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.results), slices.Clone(m.offered)
}

// stream writes server-sent events.
func stream(w http.ResponseWriter, events ...map[string]any) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		text, _ := json.Marshal(e) // of what was made here
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e["type"], text)
	}
}

type object = map[string]any

// messages answers a request of Anthropic's Messages.
func (m *model) messages(w http.ResponseWriter, body []byte) {
	var request struct {
		Tools    []struct{ Name string }
		Messages []struct{ Content json.RawMessage }
	}
	if err := json.Unmarshal(body, &request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	offered := []string{}
	for _, tool := range request.Tools {
		offered = append(offered, tool.Name)
	}
	results := []string{}
	for _, message := range request.Messages {
		var blocks []struct {
			Type    string
			Content json.RawMessage
		}
		_ = json.Unmarshal(message.Content, &blocks) // else it is one text
		for _, block := range blocks {
			if block.Type == "tool_result" {
				results = append(results, text(block.Content))
			}
		}
	}
	var wanted *call
	if len(offered) > 0 { // else it is asked for a title, or the like
		wanted = m.next(bytes.Contains(request.Messages[0].Content, []byte(toSecond)), offered, results)
	}
	block, delta, reason := object{"type": "text", "text": ""}, object{"type": "text_delta", "text": "Done."}, "end_turn"
	if wanted != nil {
		block = object{"type": "tool_use", "id": fmt.Sprint("toolu_", len(results)), "name": wanted.tool, "input": object{}}
		delta, reason = object{"type": "input_json_delta", "partial_json": wanted.input}, "tool_use"
	}
	usage := object{"input_tokens": 1, "output_tokens": 1}
	stream(w,
		object{"type": "message_start", "message": object{"id": fmt.Sprint("msg_", len(results)), "type": "message", "role": "assistant", "model": "none", "content": []any{}, "usage": usage}},
		object{"type": "content_block_start", "index": 0, "content_block": block},
		object{"type": "content_block_delta", "index": 0, "delta": delta},
		object{"type": "content_block_stop", "index": 0},
		object{"type": "message_delta", "delta": object{"stop_reason": reason}, "usage": usage},
		object{"type": "message_stop"})
}

// responses answers a request of OpenAI's Responses.
func (m *model) responses(w http.ResponseWriter, body []byte) {
	var request struct {
		Tools []struct{ Name, Type string }
		Input []struct {
			Type            string
			Output, Content json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	offered := []string{}
	for _, tool := range request.Tools {
		offered = append(offered, tool.Name)
	}
	results, second := []string{}, false
	for _, item := range request.Input {
		second = second || item.Type == "message" && bytes.Contains(item.Content, []byte(toSecond))
		if strings.HasSuffix(item.Type, "_call_output") {
			results = append(results, text(item.Output))
		}
	}
	id := fmt.Sprint("call_", len(results))
	item := object{"type": "message", "role": "assistant", "id": "m" + id, "content": []any{object{"type": "output_text", "text": "Done."}}}
	if wanted := m.next(second, offered, results); wanted != nil {
		item = object{"type": "function_call", "id": "f" + id, "call_id": id, "name": wanted.tool, "arguments": wanted.input}
		if wanted.space != "" {
			item["namespace"] = wanted.space
		}
		if wanted.plain {
			item = object{"type": "custom_tool_call", "id": "f" + id, "call_id": id, "name": wanted.tool, "input": wanted.input}
		}
	}
	stream(w,
		object{"type": "response.created", "response": object{"id": "r" + id}},
		object{"type": "response.output_item.done", "output_index": 0, "item": item},
		object{"type": "response.completed", "response": object{"id": "r" + id, "usage": object{"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}})
}

// text is that of what a tool answered: a string, or a list of parts.
func text(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one
	}
	var parts []struct{ Text string }
	_ = json.Unmarshal(raw, &parts) // else it is nothing that is known
	for _, p := range parts {
		one += p.Text
	}
	return one
}
