// SPDX-License-Identifier: Apache-2.0

// Package act is what the conformance suite and its helper say to each other:
// one JSON object a line, requests on the helper's standard input, replies on
// its standard output.
package act

// Marker is the argument that makes an executable serve the helper. It stands
// second: the first is NoTests, which a test binary that does not serve the
// helper reads as an order to run nothing.
const Marker = "caisson-conformance-helper"

// NoTests is a flag of test binaries that lists no tests and runs none.
const NoTests = "-test.list=^$"

// Request asks for one act. Which fields matter depends on Op; the table of
// package inside says what each act does.
type Request struct {
	Nonce string    `json:"nonce"`
	Op    string    `json:"op"`
	Path  string    `json:"path,omitempty"`
	To    string    `json:"to,omitempty"`
	Data  string    `json:"data,omitempty"`
	Net   string    `json:"net,omitempty"`
	Addr  string    `json:"addr,omitempty"`
	PID   int       `json:"pid,omitempty"`
	Num   int64     `json:"num,omitempty"`
	Nums  []int64   `json:"nums,omitempty"`
	Args  []string  `json:"args,omitempty"`
	Then  []Request `json:"then,omitempty"`
}

// Reply answers one request. Err is the system's error in words and Errno its
// name where it has one; both are empty where the act succeeded.
type Reply struct {
	Nonce   string   `json:"nonce"`
	Err     string   `json:"err,omitempty"`
	Errno   string   `json:"errno,omitempty"`
	Data    []byte   `json:"data,omitempty"`
	List    []string `json:"list,omitempty"`
	Num     int64    `json:"num,omitempty"`
	Replies []Reply  `json:"replies,omitempty"`
}

// OK reports whether the act succeeded.
func (r Reply) OK() bool { return r.Err == "" }

// Said is the reply in a few words, for explanations.
func (r Reply) Said() string {
	if r.OK() {
		return "it succeeded"
	}
	return r.Err
}
