// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// The JSON forms of Info, Report and refusals are what a backend that is a
// program of its own sends. Decoding is strict: what is unknown is refused, so
// is text that could drive the terminal it is shown on.

// maxWords bounds a sentence of a backend, in bytes.
const maxWords = 4096

// EncodeInfo returns the canonical JSON of an Info.
func EncodeInfo(i Info) ([]byte, error) { return strict.Canonical(i) }

// DecodeInfo reads the JSON of an Info and checks it. Errors are refusals with
// the code plan-invalid.
func DecodeInfo(text []byte) (Info, error) {
	var i Info
	if err := decode("backend", text, &i); err != nil {
		return Info{}, err
	}
	return i, i.Check()
}

// Check refuses names that are no names: Name and Version are made of letters,
// digits and ". _ / -", and are at most 64 bytes long.
func (i Info) Check() error {
	for what, word := range map[string]string{"name": i.Name, "version": i.Version} {
		if !isName(word) {
			return invalid("the %s of the backend is %s", what, diag.Quote(shortened(word)))
		}
	}
	if len(i.OS) == 0 {
		return invalid("the backend %s names no system", i.Name)
	}
	for _, os := range i.OS {
		if !slices.Contains([]string{"linux", "darwin", "windows"}, os) {
			return invalid("the backend %s names the unknown system %s", i.Name, diag.Quote(shortened(os)))
		}
	}
	return nil
}

func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/-", r))
	}) < 0
}

// EncodeReport returns the canonical JSON of a Report.
func EncodeReport(r Report) ([]byte, error) {
	if len(r.Facts) == 0 {
		r.Facts = json.RawMessage("null")
	}
	return strict.Canonical(r)
}

// DecodeReport reads the JSON of a Report and checks it.
func DecodeReport(text []byte) (Report, error) {
	var r Report
	if err := decode("report", text, &r); err != nil {
		return Report{}, err
	}
	return r, r.Check()
}

// Check refuses unknown guarantees, ones that are offered and unmet at once,
// and text that is no plain sentence.
func (r Report) Check() error {
	for id, c := range r.Offers {
		if !guarantee.Known(id) {
			return invalid("the report offers the unknown guarantee %s", diag.Quote(shortened(string(id))))
		}
		if !slices.Contains([]guarantee.By{guarantee.ByKernel, guarantee.ByAccount, guarantee.ByLaunch, guarantee.ByVM}, c.By) {
			return invalid("the report offers %s by the unknown %s", id, diag.Quote(shortened(string(c.By))))
		}
		if !IsSentence(c.Note) {
			return invalid("the note of %s is no plain sentence", id)
		}
	}
	for _, u := range r.Unmet {
		if !guarantee.Known(u.ID) {
			return invalid("the report speaks of the unknown guarantee %s", diag.Quote(shortened(string(u.ID))))
		}
		if _, both := r.Offers[u.ID]; both {
			return invalid("the report offers %s and says that it is unmet", u.ID)
		}
		if !IsSentence(u.Reason) || !IsSentence(u.Remedy) {
			return invalid("what the report says of %s is no plain sentence", u.ID)
		}
	}
	return nil
}

// IsSentence reports whether text is of bounded length and printable.
func IsSentence(s string) bool {
	return len(s) <= maxWords && diag.Plain(s)
}

// EncodeRefusal returns the JSON of the diagnostic that an error is or wraps.
// An error that is none becomes one with the code plan-invalid.
func EncodeRefusal(err error) ([]byte, error) {
	d := diag.Diagnostic{Code: diag.PlanInvalid, Message: err.Error()}
	if told, ok := errors.AsType[*diag.Diagnostic](err); ok {
		d = *told
	}
	return strict.Canonical(d)
}

// DecodeRefusal reads the JSON of a diagnostic with which a backend refuses. It
// fails for unknown codes and for text that is no plain sentence. Grants are
// dropped: what widens a policy is for caisson to say.
func DecodeRefusal(text []byte) (*diag.Diagnostic, error) {
	var d diag.Diagnostic
	if err := decode("refusal", text, &d); err != nil {
		return nil, err
	}
	known := slices.ContainsFunc(diag.Codes(), func(c diag.CodeInfo) bool { return c.Code == d.Code && c.Refusal })
	if !known {
		return nil, invalid("the backend refuses with the unknown code %s", diag.Quote(shortened(string(d.Code))))
	}
	if d.Message == "" || !IsSentence(d.Message) || !IsSentence(d.Remedy) {
		return nil, invalid("the refusal of the backend is no plain sentence")
	}
	d.Grant = nil
	return &d, nil
}

func decode(what string, text []byte, into any) error {
	node, err := strict.JSON(what, text, diag.PlanInvalid)
	if err != nil {
		return err
	}
	return strict.Decode(node, into)
}

func invalid(format string, args ...any) error {
	return diag.New(diag.PlanInvalid, fmt.Sprintf(format, args...), "")
}

func shortened(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
