// SPDX-License-Identifier: Apache-2.0

// Command benchtable reads what `go test -bench` printed from its standard input
// and writes the table of a file between its marks anew: make bench-table.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Marks around the table.
const (
	begin = "<!-- make bench-table -->\n"
	end   = "<!-- end of bench-table -->\n"
)

// rows are what the table has, by benchmark and unit.
var rows = []struct {
	benchmark, unit, text string
	optional              bool
}{
	{"BenchmarkLaunch/held=2", "cli/plain", "a static program, by `caisson run`", false},
	{"BenchmarkLaunch/held=2", "bwrap/plain", "the same by bubblewrap, which does a part of it", true},
	{"BenchmarkLaunch/held=2", "open+first/plain", "the same through the library: open a sandbox, first command", false},
	{"BenchmarkLaunch/held=2", "next/plain", "the same as a further command of an open sandbox", false},
	{"BenchmarkWork/git-status", "inside/outside", "`git status` over 20,000 files, as a further command", false},
	{"BenchmarkWork/find", "inside/outside", "`find` over them", false},
	{"BenchmarkWork/search", "inside/outside", "`rg` over them", false},
	{"BenchmarkWork/go-build", "inside/outside", "`go build` of a program that changed", false},
}

func main() {
	if err := run(os.Stdin, os.Args[1:], host(), time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

// host says what machine this is.
func host() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease") // without it the rest is said
	return fmt.Sprintf("%s %s on %s, %d processors", runtime.GOOS, bytes.TrimSpace(kernel), runtime.GOARCH, runtime.NumCPU())
}

func run(in io.Reader, args []string, host string, now time.Time) error {
	if len(args) != 1 {
		return errors.New("name the file that holds the table")
	}
	measured, err := read(in)
	if err != nil {
		return err
	}
	made, err := table(measured, host, now)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	before, rest, opened := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		return fmt.Errorf("%s: no table between %q and %q", args[0], strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(args[0], []byte(before+begin+made+end+after), 0o644)
}

// read takes the figures from lines such as
//
//	BenchmarkLaunch/held=2-2   200   2.1 next/plain   490.0 plain-µs
//
// by benchmark and unit.
func read(in io.Reader) (map[string]map[string]float64, error) {
	measured := map[string]map[string]float64{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") || len(f)%2 != 0 {
			continue
		}
		name := f[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil { // the number of processors
				name = name[:i]
			}
		}
		units := map[string]float64{}
		for i := 2; i < len(f); i += 2 {
			n, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %q is no figure", name, f[i])
			}
			units[f[i+1]] = n
		}
		measured[name] = units
	}
	return measured, lines.Err()
}

func table(measured map[string]map[string]float64, host string, now time.Time) (string, error) {
	var b strings.Builder
	b.WriteString("| what | times the same outside |\n|---|---|\n")
	for _, r := range rows {
		n, ok := measured[r.benchmark][r.unit]
		switch {
		case ok && n < 1.995:
			fmt.Fprintf(&b, "| %s | %.2f |\n", r.text, n)
		case ok:
			fmt.Fprintf(&b, "| %s | %.1f |\n", r.text, n)
		case !r.optional:
			return "", fmt.Errorf("%s of %s was not measured", r.unit, r.benchmark)
		}
	}
	fmt.Fprintf(&b, "\nMedians of %s, %s. The program took %.2f ms outside. `make bench-table` writes this table.\n",
		now.Format("2 January 2006"), host, measured["BenchmarkLaunch/held=2"]["plain-µs"]/1000)
	return b.String(), nil
}
