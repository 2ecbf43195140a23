// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func samples() map[string]*Report {
	return map[string]*Report{"mixed": mixed(), "clean": clean(), "partial": partial(), "empty": empty(), "hostile": hostile()}
}

// write writes a report or a matrix in a format.
func write(t *testing.T, what interface {
	Write(io.Writer, string) error
}, format string) string {
	t.Helper()
	var b strings.Builder
	if err := what.Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("run go test -update if this is meant (-want +got)\n%s", diff)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, r := range samples() {
		for _, format := range Formats() {
			t.Run(name+"/"+format, func(t *testing.T) {
				t.Parallel()
				golden(t, name+"."+format, write(t, r, format))
			})
		}
	}
}

func TestMatrixGolden(t *testing.T) {
	t.Parallel()
	two := Merge([]Report{*mixed(), *clean()})
	none := Merge(nil)
	bad := Merge([]Report{*hostile(), *mixed()})
	for name, m := range map[string]*Matrix{"matrix": &two, "matrix-none": &none, "matrix-hostile": &bad} {
		for _, format := range MatrixFormats() {
			t.Run(name+"/"+format, func(t *testing.T) {
				t.Parallel()
				golden(t, name+"."+format, write(t, m, format))
			})
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	m := Merge(nil)
	for _, what := range []interface {
		Write(io.Writer, string) error
	}{mixed(), &m} {
		err := what.Write(io.Discard, "yaml")
		if err == nil || !strings.Contains(err.Error(), `"yaml"`) || !strings.Contains(err.Error(), "json") {
			t.Errorf("error %v; it must name the format and those that there are", err)
		}
	}
}

// full is a disk without space.
type full struct{}

var errFull = errors.New("no space")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteFails(t *testing.T) {
	t.Parallel()
	for _, format := range Formats() {
		if err := mixed().Write(full{}, format); !errors.Is(err, errFull) {
			t.Errorf("%s: error %v", format, err)
		}
	}
}

// TestWriteJudges shows that no view trusts what the report says of itself.
func TestWriteJudges(t *testing.T) {
	t.Parallel()
	lie := mixed()
	lie.Conformant, lie.Counts = true, nil
	for _, format := range Formats() {
		if write(t, lie, format) != write(t, mixed(), format) {
			t.Errorf("%s: a report that calls itself conformant is written as one", format)
		}
	}
	if !lie.Conformant {
		t.Error("Write changed the report")
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change            func(*Report)
		conformant, clean bool
	}{
		"all passed":                 {func(*Report) {}, true, true},
		"a must failed":              {func(r *Report) { r.Results[0].Verdict = Fail }, false, false},
		"a should failed":            {func(r *Report) { r.Results[2].Verdict = Fail }, true, true},
		"an error in a may":          {func(r *Report) { r.Results[12].Verdict = Error }, false, false},
		"one was not run":            {func(r *Report) { r.Results[0].Verdict = NotRun }, false, false},
		"one was not held":           {func(r *Report) { r.Results[0].Verdict = NotHeld }, true, true},
		"one is not applicable":      {func(r *Report) { r.Results[0].Verdict = NotApplicable }, true, true},
		"a part of the table":        {func(r *Report) { r.Complete = false }, false, true},
		"a part of it, and a must f": {func(r *Report) { r.Complete = false; r.Results[0].Verdict = Fail }, false, false},
		"nothing was run":            {func(r *Report) { r.Results = nil }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := clean()
			c.change(r)
			r.Judge()
			if r.Conformant != c.conformant || r.Clean() != c.clean {
				t.Errorf("conformant %t, clean %t; want %t, %t", r.Conformant, r.Clean(), c.conformant, c.clean)
			}
			if reasons := r.Reasons(); (len(reasons) == 0) != c.conformant {
				t.Errorf("reasons %q", reasons)
			}
		})
	}
}
