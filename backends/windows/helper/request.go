// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// DecodeRequest reads a request for the elevated part. Unknown fields and what
// follows are refused.
func DecodeRequest(text []byte) (Request, error) {
	if len(text) > 1<<20 {
		return Request{}, diag.New(diag.UsageInvalid, "the request is too long", "")
	}
	var r Request
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if _, more := d.Token(); err == nil && more != io.EOF {
		err = errors.New("something follows it")
	}
	if err != nil {
		return Request{}, diag.New(diag.UsageInvalid, "the request of setup: "+err.Error(), "caisson and its helper may be of different versions")
	}
	return r, nil
}
