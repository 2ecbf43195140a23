// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const printed = `goos: linux
BenchmarkLaunch/held=2-2 	 200	 12.50 bwrap/plain	 23.10 cli/plain	 2.010 next/plain	 14.20 open+first/plain	 350.0 plain-µs
BenchmarkWork/git-status-2 	 20	 1.001 inside/outside	 27.19 outside-ms
BenchmarkWork/find-2 	 20	 1.09 inside/outside	 60.10 outside-ms
BenchmarkWork/search-2 	 20	 1.04 inside/outside	 71.12 outside-ms
BenchmarkWork/go-build-2 	 20	 1.02 inside/outside	 136.5 outside-ms
PASS
`

func TestTable(t *testing.T) {
	t.Parallel()
	const old = "above\n" + begin + "old\n" + end + "below\n"
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ name, printed, file, want, err string }{
		{"all", printed, old, "| the same by bubblewrap, which does a part of it | 12.5 |\n", ""},
		{"small figures", printed, old, "| `git status` over 20,000 files, as a further command | 1.00 |\n", ""},
		{"the machine", printed, old, "\n\nMedians of 2 January 2026, a machine. The program took 0.35 ms outside. `make bench-table` writes this table.\n" + end + "below\n", ""},
		{"without bubblewrap", strings.Replace(printed, "12.50 bwrap/plain", "1 other", 1), old, "| 23.1 |\n| the same through the library", ""},
		{"something is missing", strings.Replace(printed, "find-2", "lost-2", 1), old, "", "inside/outside of BenchmarkWork/find was not measured"},
		{"no figure", strings.Replace(printed, "1.09", "fast", 1), old, "", `"fast" is no figure`},
		{"no marks", printed, "above\n", "", "no table between"},
	} {
		file := filepath.Join(t.TempDir(), "README.md")
		if err := os.WriteFile(file, []byte(c.file), 0o644); err != nil {
			t.Fatal(err)
		}
		err := run(strings.NewReader(c.printed), []string{file}, "a machine", day)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.name, err, c.err)
			}
			continue
		}
		text, readErr := os.ReadFile(file)
		if err != nil || readErr != nil || !strings.Contains(string(text), c.want) || strings.Contains(string(text), "old") || !strings.HasPrefix(string(text), "above\n") {
			t.Errorf("%s: %v %v:\n%s", c.name, err, readErr, text)
		}
	}
}
