// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Verdict is how a request for the network ended.
type Verdict string

// The verdicts. Failed is one that the policy allows and the network did not:
// a name without addresses, a server that refuses. It is no denial.
const (
	Allowed Verdict = "allowed"
	Denied  Verdict = "denied"
	Failed  Verdict = "failed"
)

// Protocol is how a command asked.
type Protocol string

// The protocols.
const (
	Connect  Protocol = "connect"  // CONNECT of HTTP
	HTTP     Protocol = "http"     // a request with an absolute URL
	SOCKS    Protocol = "socks5"   // CONNECT of SOCKS5
	Loopback Protocol = "loopback" // a granted port of the host's loopback
)

// Decision is one answer of the proxy, as an event. Host and Address come from
// the command or from name servers: they are printable ASCII of at most 255
// bytes, and still nothing to take for an instruction.
type Decision struct {
	Time     time.Time `json:"time"`
	Protocol Protocol  `json:"protocol"`
	// Host is the name or address that was asked for in its one form, or the
	// quoted beginning of what is none. It is empty where no host was read.
	Host string `json:"host"`
	Port int    `json:"port"` // 0 where none was read
	// Address is the address that was dialled or refused; empty where none was
	// looked for, as for a name that is denied.
	Address string  `json:"address,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Rule is the rule that decided, as the policy writes it; empty where none
	// did: what no rule allows is denied.
	Rule string `json:"rule,omitempty"`
	// Origin is where the rule was written: "FILE:LINE" or a flag.
	Origin string `json:"origin,omitempty"`
	// Reason says in a sentence why it was denied or failed, in words of caisson.
	Reason string `json:"reason,omitempty"`
	// Grant is the narrowest one that would allow it; nil where none does.
	Grant *diag.Grant `json:"grant"`
}
