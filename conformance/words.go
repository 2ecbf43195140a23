// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"errors"
	"path/filepath"
	"strings"
)

// splitWords splits a line into words as a POSIX shell does: blanks separate,
// quotes and backslashes keep together. Nothing is expanded.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, quote := false, rune(0) // inside a word; inside quotes
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			if quote == '"' && !strings.ContainsRune("$`\"\\\n", r) {
				word.WriteByte('\\')
			}
			// A line break that is escaped is not there at all.
			if r != '\n' {
				word.WriteRune(r)
				open = true
			}
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if escaped {
		return nil, errors.New("a backslash stands at the end")
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

func dirOf(path string) string { return filepath.Dir(path) }
