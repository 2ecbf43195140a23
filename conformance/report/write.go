// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"strings"
)

// Formats returns the names of the formats that a report can be written in.
func Formats() []string { return []string{"json", "tap", "junit", "md", "html"} }

// Write writes the report in one of the formats. What follows from the results
// is reckoned anew, so that no view disagrees with another.
func (r *Report) Write(w io.Writer, format string) error {
	one := *r
	one.Schema = Schema
	one.Judge()
	var text string
	var err error
	switch format {
	case "json":
		text, err = one.json()
	case "tap":
		text = one.tap()
	case "junit":
		text = one.junit()
	case "md":
		text = one.markdown()
	case "html":
		text = one.html()
	default:
		return unknownFormat(format, Formats())
	}
	return deliver(w, text, err)
}

// MatrixFormats returns the names of the formats that a matrix can be written
// in.
func MatrixFormats() []string { return []string{"json", "md", "html"} }

// Write writes the matrix in one of the formats.
func (m *Matrix) Write(w io.Writer, format string) error {
	var text string
	var err error
	switch format {
	case "json":
		text, err = encode(m)
	case "md":
		text = m.markdown()
	case "html":
		text = m.html()
	default:
		return unknownFormat(format, MatrixFormats())
	}
	return deliver(w, text, err)
}

func deliver(w io.Writer, text string, err error) error {
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func unknownFormat(name string, known []string) error {
	return fmt.Errorf("report: no format is called %q; there are %s", name, strings.Join(known, ", "))
}

// Extension is the usual ending of files in a format, without the dot.
func Extension(format string) string {
	if format == "junit" {
		return "xml"
	}
	return format
}
