// SPDX-License-Identifier: Apache-2.0

// Package inside is the helper of the conformance suite: the program that runs
// in a sandbox and commits the acts that the suite asks for. It uses the
// descriptors 0, 1 and 2 and no shell.
//
// Each act is one function in a table: files.go, network.go and processes.go
// have what every system has, the files with a system's suffix the rest.
package inside

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"syscall"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// Guard stands before every act. The suite has none; the tests of the suite
// use one to play a sandbox that obeys a policy without any kernel.
type Guard interface {
	// Before may change the request, refuse it with an error, or answer it in
	// the helper's place.
	Before(*act.Request) (*act.Reply, error)
}

// Helper is one run of the helper.
type Helper struct {
	guard Guard
	held  map[string]io.Closer // listeners and files that outlive one act
	ops   map[string]op
}

type op func(*Helper, act.Request) act.Reply

// New returns a helper. A nil guard lets every act pass.
func New(guard Guard) *Helper {
	h := &Helper{guard: guard, held: map[string]io.Closer{}, ops: map[string]op{}}
	for _, table := range []map[string]op{fileOps(), networkOps(), processOps(), systemOps()} {
		maps.Copy(h.ops, table)
	}
	return h
}

// Run serves one run of the helper: args are those after act.Marker, the first
// is the role. It returns the exit status.
func (h *Helper) Run(args []string) int {
	role := ""
	if len(args) > 0 {
		role, args = args[0], args[1:]
	}
	switch role {
	case "serve":
		return h.serve(os.Stdin, os.Stdout)
	case "":
		fmt.Fprintln(os.Stderr, "the helper of the conformance suite is started by the suite")
		return 2
	}
	r, ok := roles()[role]
	if !ok {
		fmt.Fprintf(os.Stderr, "the helper knows no role %q\n", role)
		return 2
	}
	return r(h, args)
}

// serve answers requests, one JSON object a line, until its input ends.
func (h *Helper) serve(in io.Reader, out io.Writer) int {
	requests := bufio.NewReaderSize(in, 64<<10)
	replies := json.NewEncoder(out)
	for {
		line, err := requests.ReadBytes('\n')
		if err != nil {
			return 0
		}
		var r act.Request
		if err := json.Unmarshal(line, &r); err != nil {
			fmt.Fprintln(os.Stderr, "helper: malformed request:", err)
			return 2
		}
		if err := replies.Encode(h.do(r)); err != nil {
			return 1
		}
	}
}

func (h *Helper) do(r act.Request) act.Reply {
	nonce := r.Nonce
	reply := h.perform(r)
	reply.Nonce = nonce
	return reply
}

func (h *Helper) perform(r act.Request) act.Reply {
	f, ok := h.ops[r.Op]
	if !ok {
		return act.Reply{Err: fmt.Sprintf("the helper has no act %q on this system", r.Op), Errno: "NOACT"}
	}
	if h.guard != nil {
		answer, err := h.guard.Before(&r)
		if err != nil {
			return failed(err)
		}
		if answer != nil {
			return *answer
		}
	}
	return f(h, r)
}

// failed is the reply of an act that failed, or succeeded where err is nil.
func failed(err error) act.Reply {
	if err == nil {
		return act.Reply{}
	}
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(err, &errno):
		return act.Reply{Err: err.Error(), Errno: errnoName(errno)}
	case errors.As(err, &dns):
		return act.Reply{Err: err.Error(), Errno: "EAI"}
	default:
		return act.Reply{Err: err.Error(), Errno: "OTHER"}
	}
}
