// SPDX-License-Identifier: Apache-2.0

package agents

import "sync"

// outputs collects what the commands of a server write.
type outputs struct {
	mu   sync.Mutex
	text map[string]string
}

func newOutputs() *outputs { return &outputs{text: map[string]string{}} }

func (o *outputs) take(command, _ string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text[command] += string(data)
}

// of is what a command wrote, on all its streams in the order that they came.
func (o *outputs) of(command string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text[command]
}
