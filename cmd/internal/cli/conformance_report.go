// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/conformance/report"
)

// progress returns what shows on a terminal how far a run is: one line that is
// written over. Elsewhere it shows nothing.
func (p *program) progress(c conformance.Config) func(report.Result) {
	cases, _ := conformance.Select(c)
	done, bad := 0, 0
	live := isTerminal(p.stderr)
	return func(r report.Result) {
		done++
		if r.Verdict == report.Fail || r.Verdict == report.Error {
			bad++
		}
		if live {
			fmt.Fprintf(p.stderr, "\r\x1b[K%d of %d cases, %d broken: %s", done, len(cases), bad, report.Visible(r.ID))
			if done == len(cases) {
				fmt.Fprint(p.stderr, "\r\x1b[K")
			}
		}
	}
}

// deliver writes a report and returns the status that follows from it.
func (p *program) deliver(rep *report.Report, format, out string) error {
	if out != "" {
		for _, name := range report.Formats() {
			if err := writeReport(filepath.Join(out, "report."+report.Extension(name)), name, rep.Write); err != nil {
				return err
			}
		}
	}
	switch {
	case format != "":
		if err := rep.Write(p.stdout, format); err != nil {
			return err
		}
	default:
		p.printReport(rep)
	}
	if !rep.Clean() {
		return status(statusNo)
	}
	return nil
}

func writeReport(path, format string, write func(w io.Writer, format string) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if err := write(f, format); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// printReport prints what a person wants to know first: what does not hold.
func (p *program) printReport(rep *report.Report) {
	results := rep.Results
	if same := results[0]; rep.Counts[report.Error] == len(results) &&
		!slices.ContainsFunc(results, func(r report.Result) bool { return r.Why != same.Why }) {
		fmt.Fprintf(p.stdout, "no case could be judged: %s\n", report.Visible(same.Why))
		results = nil
	}
	for _, r := range results {
		switch r.Verdict {
		case report.Pass, report.Held, report.NotApplicable:
			continue
		}
		group := string(r.Guarantee)
		if group == "" {
			group = "duty"
		}
		fmt.Fprintf(p.stdout, "%-8s %-13s %s: %s\n", r.Verdict, r.ID, group, report.Visible(r.Title))
		fmt.Fprintf(p.stdout, "         %s\n", report.Visible(r.Why))
		if r.Verdict == report.Fail {
			fmt.Fprintf(p.stdout, "         it means: %s\n", r.Meaning)
		}
	}
	fmt.Fprintln(p.stdout, rep.Summary())
	if !rep.Conformant {
		for _, why := range rep.Reasons() {
			fmt.Fprintln(p.stdout, "  "+report.Visible(why))
		}
	}
	fmt.Fprintf(p.stdout, "seed %d, %.1f s\n", rep.Seed, float64(rep.Elapsed)/1000)
}
