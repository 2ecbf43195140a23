// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// maxLine bounds a line of a plugin's log, in bytes.
const maxLine = 1000

// printable makes one bounded line of what a plugin says that can neither drive
// a terminal nor hide something.
func printable(s string) string {
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + "…"
	}
	return strings.TrimSpace(diag.Escape(strings.NewReplacer("\n", " ", "\t", " ").Replace(s)))
}

// newLogger gives the plugin library a logger that passes on what the plugin
// says. What the library says of itself is dropped: failures come as errors.
func newLogger(log func(string), name string) hclog.Logger {
	if log == nil {
		return hclog.NewNullLogger()
	}
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Trace, Output: io.Discard})
	l.RegisterSink(&sink{log: log, name: name})
	return l
}

// sink gets entries of the library.
type sink struct {
	log  func(string)
	name string
}

// Accept passes on the lines that the library read from the plugin, which it
// puts under the name of the process.
func (s *sink) Accept(from string, level hclog.Level, text string, args ...any) {
	if from != processName(s.name) {
		return
	}
	for i := 0; i+1 < len(args); i += 2 {
		if key := fmt.Sprint(args[i]); key != "timestamp" {
			text += fmt.Sprintf(" %s=%v", key, args[i+1])
		}
	}
	s.log(fmt.Sprintf("plugin %s: %s: %s", printable(s.name), level, printable(text)))
}
