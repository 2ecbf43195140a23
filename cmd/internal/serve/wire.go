// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// The codes of errors: those of JSON-RPC 2.0, section 5.1, and one of ours,
// whose data tells what was refused.
const (
	codeParse     = -32700
	codeRequest   = -32600
	codeMethod    = -32601
	codeParams    = -32602
	codeRefused   = -32000
	codeNotBefore = -32001 // initialize comes first
)

// request is one message of the client. A notification has no id.
type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`

	files []*os.File // that came with it
}

// response answers a request: with a result, or with an error.
type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

// rpcError is the error of a request.
type rpcError struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Data    *errorData `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return e.Message }

// malformed is the error of a message that is none that is spoken here.
func malformed(code int, message, remedy string) *rpcError {
	d := diag.New(diag.RequestInvalid, message, remedy)
	return &rpcError{Code: code, Message: d.Error(), Data: &errorData{Diagnostic: *d}}
}

// readRequest reads one message. The id is there also with an error, where it
// could be read, so that the error can name it.
func readRequest(line []byte) (request, *rpcError) {
	if err := wellFormed(line); err != nil {
		return request{}, malformed(codeParse, "the message is no JSON: "+err.Error(), "write one JSON object a line, in UTF-8")
	}
	var r request
	if err := decode(line, &r); err != nil {
		var loose struct {
			ID json.RawMessage `json:"id"`
		}
		_ = json.Unmarshal(line, &loose) // what is no object has no id
		r.ID = loose.ID
		if !validID(r.ID) {
			r.ID = nil
		}
		return r, malformed(codeRequest, "the message is no request of JSON-RPC 2.0: "+err.Error(), "batches are not spoken")
	}
	switch {
	case !validID(r.ID):
		r.ID = nil
		return r, malformed(codeRequest, "the id is neither a short text nor a number", "")
	case r.Version != "2.0":
		return r, malformed(codeRequest, `"jsonrpc" is not "2.0"`, "")
	case r.Method == "":
		return r, malformed(codeRequest, "no method is named", "")
	}
	return r, nil
}

// maxID bounds an id, which is kept until its request is answered.
const maxID = 128

// validID reports whether an id is absent, a text or a number. null is none:
// it would be that of errors which belong to no request.
func validID(id json.RawMessage) bool {
	if len(id) == 0 {
		return true
	}
	c := id[0]
	return len(id) <= maxID && (c == '"' || c == '-' || c >= '0' && c <= '9')
}

var errTooLong = errors.New("the message is too long")

// lines reads messages of bounded length.
type lines struct {
	r *bufio.Reader
}

func newLines(r io.Reader) *lines { return &lines{bufio.NewReaderSize(r, 64<<10)} }

// next returns the next line without its end. One that is too long is skipped,
// and the error is errTooLong. A last line without an end is cut short, and lost.
func (l *lines) next() ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := l.r.ReadSlice('\n')
		if long = long || len(line)+len(part) > MaxMessage; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		case long:
			return nil, errTooLong
		}
		return line[:len(line)-1], nil
	}
}

// writer writes messages, each in one piece. While the client does not read,
// everyone waits here: that is the back-pressure.
type writer struct {
	mu  sync.Mutex
	w   io.Writer
	err error  // the first one; nothing is written after it
	bad func() // called once for it
}

func (w *writer) write(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		text, _ = json.Marshal(response{Version: "2.0", ID: idOf(v), Error: &rpcError{Code: codeRefused, Message: err.Error()}})
	}
	w.line(append(text, '\n'))
}

// line writes a message that was made already, with its end.
func (w *writer) line(text []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	if _, w.err = w.w.Write(text); w.err != nil {
		w.bad()
	}
}

func idOf(v any) json.RawMessage {
	if r, ok := v.(response); ok {
		return r.ID
	}
	return nil
}
