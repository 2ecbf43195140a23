// SPDX-License-Identifier: Apache-2.0

// Command caisson-backend-bwrap is a backend plugin that has bubblewrap confine
// commands. It is useful where bubblewrap may make user namespaces and other
// programs may not, as some distributions arrange it, and it is the example of
// docs/authoring-a-backend.md.
//
// It has the three parts of a backend: the probe (probe_linux.go) looks at the
// host and writes down facts; the compiler (compile.go) turns facts and a policy
// into the arguments of bwrap, and is pure; claims.go says what that upholds.
// What executes the plan is caisson, which also installs the filter of system
// calls, that of backends/linux. It differs from the built-in backend of Linux
// in these ways that matter:
//
//   - A sandbox takes one command: two would have two loopbacks and two sets of
//     process ids.
//   - With --net online there are no unix sockets inside but pairs.
//   - Limits on memory and processes, an allowlist of the network and reports
//     of denials are not offered.
package main

import (
	"context"
	"fmt"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/plugins/sdk"
)

func main() { sdk.Serve(bubblewrap{}) }

// Name is the name of the backend.
const Name = "linux/bwrap"

// bubblewrap is the backend. It has no state.
type bubblewrap struct{}

func (bubblewrap) Info() backend.Info {
	return backend.Info{Name: Name, Version: "1", OS: []string{"linux"}, Rank: 40, OneCommand: true}
}

func (bubblewrap) Probe(ctx context.Context) (backend.Report, error) {
	f, err := probe(ctx)
	if err != nil {
		return backend.Report{}, err
	}
	raw, err := f.encode()
	if err != nil {
		return backend.Report{}, fmt.Errorf("write the facts of this host: %w", err)
	}
	offered, unmet := offers(f)
	return backend.Report{Usable: f.Works, Offers: offered, Unmet: unmet, Facts: raw}, nil
}

func (bubblewrap) Prepare(_ context.Context, r backend.Request) (*plan.Plan, error) {
	f, err := decodeFacts(r.Facts)
	if err != nil {
		return nil, err
	}
	return compile(f, r.Policy)
}
