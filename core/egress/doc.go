// SPDX-License-Identifier: Apache-2.0

// Package egress is the way out of a sandbox that has no route: a proxy that
// speaks HTTP and SOCKS5 on a listener inside the sandbox's network and dials
// outside what the policy lists, and relays for single ports of the loopback.
//
// It runs in the process that owns the sandbox. What it reads comes from
// hostile commands: heads, lengths, names, numbers of connections and the time
// that each takes are bounded, and what is not understood is refused.
package egress
