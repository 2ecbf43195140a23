// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// json is the whole report. Lists and tables are there even when empty.
func (r *Report) json() (string, error) {
	if r.Claims == nil {
		r.Claims = guarantee.Set{}
	}
	if r.Results == nil {
		r.Results = []Result{}
	}
	r.Date = r.Date.UTC()
	return encode(r)
}

// encode writes a value as JSON that does no harm on a terminal: characters that
// do not show are escaped, which changes the form and not the value.
func encode(v any) (string, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", err
	}
	return string(diag.EscapeJSON(data)) + "\n", nil
}

// Decode reads a report as Write gives it. The name stands for the file in
// errors, which name the line too. It is strict: the schema must be the one that
// this version writes, keys may be neither unknown nor missing nor doubled, and
// what follows from the results must follow from them.
func Decode(name string, data []byte) (*Report, error) {
	s := source{name, data}
	var head struct {
		Schema *int64 `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, s.explain(err)
	}
	switch {
	case head.Schema == nil:
		return nil, s.refuse(0, "this is no report of the conformance suite: there is no schema number")
	case *head.Schema != Schema:
		return nil, s.refuse(int64(bytes.Index(data, []byte(`"schema"`))),
			"the report has schema %d; this version reads schema %d", *head.Schema, Schema)
	}
	if err := s.keys(); err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, s.explain(err)
	}
	r.Date = r.Date.UTC()
	if err := r.check(); err != nil {
		return nil, s.refuse(-1, "%v", err)
	}
	return r, nil
}
