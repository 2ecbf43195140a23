// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Report is what a log is found to be.
type Report struct {
	Records int   `json:"records"`
	Last    int64 `json:"last"` // the number of the last record
	// Torn are halves of records that killed processes left. The last line may
	// be one; any other is named by the record after it.
	Torn int `json:"torn"`
	// Head is the hash of the last whole line. Noted elsewhere, it proves later
	// that nothing was cut off.
	Head string `json:"head"`
	// Found says that the hash that was asked for is one of the log's.
	Found bool `json:"found"`
}

// Verify reads a log and checks that it holds together. Head, if not "", is the
// hash of a line that must be there. The error names the first line that breaks
// the chain; the report is of what stands before it.
func Verify(in io.Reader, head string) (Report, error) {
	var report Report
	prev, torn := "", false
	err := lines(in, func(n int, line []byte) error {
		r, err := decode(line)
		if err != nil {
			if torn || len(line) == 0 || line[0] != '{' {
				return fmt.Errorf("line %d is no record", n)
			}
			torn, prev = true, hashOf(line)
			report.Torn++
			return nil
		}
		switch {
		case r.Prev != prev:
			return fmt.Errorf("line %d does not follow the line before it: one of them was changed, or lines are missing", n)
		case r.AfterTorn != torn:
			return fmt.Errorf("line %d is wrong about the line before it", n)
		case r.Seq != report.Last+1:
			return fmt.Errorf("line %d is record %d and should be %d", n, r.Seq, report.Last+1)
		}
		torn, prev = false, hashOf(line)
		report.Records, report.Last, report.Head = report.Records+1, r.Seq, prev
		report.Found = report.Found || prev == head
		return nil
	})
	if err == nil && head != "" && !report.Found {
		err = errors.New("no line has the hash that was asked for: the end was cut off, or it is another log")
	}
	return report, err
}

// Read calls each with every record of a log, whether or not they hold together.
// What is no record is passed over.
func Read(in io.Reader, each func(line []byte, r Record) error) error {
	return lines(in, func(_ int, line []byte) error {
		if r, err := decode(line); err == nil {
			return each(line, r)
		}
		return nil
	})
}

// lines calls f with each line, numbered from 1, without its end, which the last
// one may lack.
func lines(in io.Reader, f func(n int, line []byte) error) error {
	r := bufio.NewReaderSize(in, MaxLine+2)
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		whole := err == nil
		switch {
		case err == bufio.ErrBufferFull:
			return fmt.Errorf("line %d is longer than a record can be", n)
		case err != nil && err != io.EOF:
			return err
		case len(line) == 0:
			return nil
		}
		if err := f(n, bytes.TrimSuffix(line, []byte{'\n'})); err != nil {
			return err
		}
		if !whole {
			return nil
		}
	}
}

// decode reads a line as Append writes them: anything else that means the same
// is no record.
func decode(line []byte) (Record, error) {
	var r Record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	var denials, egress json.RawMessage
	r.Denials, r.Egress = &denials, &egress
	if err := d.Decode(&r); err != nil {
		return Record{}, errors.New("not JSON, or with fields that records do not have")
	}
	if _, err := d.Token(); err != io.EOF {
		return Record{}, errors.New("more than one value")
	}
	r.Denials, r.Egress = raw(denials), raw(egress)
	again, err := json.Marshal(r)
	if err != nil || !bytes.Equal(diag.EscapeJSON(again), line) {
		return Record{}, errors.New("not written as records are")
	}
	if r.Schema != Schema || r.Seq < 1 || !slices.Contains([]string{Start, End, Refused, Close}, r.Event) {
		return Record{}, errors.New("of another schema, event or number")
	}
	return r, nil
}

// raw is nil where nothing was there, so that it is left out again.
func raw(text json.RawMessage) any {
	if len(text) == 0 {
		return nil
	}
	return text
}
