// SPDX-License-Identifier: Apache-2.0

//go:build linux && (amd64 || arm64)

package launch

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestWrappedFilter: what the innermost wrapper executes installs the filter of
// the plan for the command, and where the supervisor answers connects a socket
// is reached if the command listens on it.
func TestWrappedFilter(t *testing.T) {
	t.Parallel()
	bwrap := bubblewrap(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	const script = `exec ` + "%s" + ` -c '
import os, socket
def reach(name):
    try:
        socket.socket(socket.AF_UNIX).connect(name)
        return "reached"
    except OSError as e:
        return os.strerror(e.errno)
l = socket.socket(socket.AF_UNIX); l.bind("own"); l.listen()
print("own:", reach("own")); print("host:", reach("host")); print("abstract:", reach("\0"+"none"))
try: os.chmod(".", 0o700); print("chmod: done")
except OSError as e: print("chmod:", os.strerror(e.errno))
'`
	rule := func(call, action, errno string) plan.SeccompRule {
		return plan.SeccompRule{Calls: []string{call}, Action: action, Errno: errno, Why: "a test"}
	}
	for _, c := range []struct {
		name  string
		steps []plan.Step
		allow bool
		want  string
	}{
		{"without", nil, false, "own: reached\nhost: reached\nabstract: Connection refused\nchmod: done\n"},
		{"a filter", []plan.Step{plan.Seccomp{Newest: 471, Rules: []plan.SeccompRule{rule("chmod", "errno", "EPERM"), rule("fchmodat", "errno", "EPERM")}}}, false,
			"own: reached\nhost: reached\nabstract: Connection refused\nchmod: Operation not permitted\n"},
		{"answered", []plan.Step{plan.Broker{}, plan.Seccomp{Newest: 471, Rules: []plan.SeccompRule{rule("connect", "notify", "")}}}, false,
			"own: reached\nhost: Permission denied\nabstract: Connection refused\nchmod: done\n"},
		{"granted", []plan.Step{plan.Broker{}, plan.Seccomp{Newest: 471, Rules: []plan.SeccompRule{rule("connect", "notify", "")}}}, true,
			"own: reached\nhost: reached\nabstract: Connection refused\nchmod: done\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ws, o := wrapOptions(t)
			host := filepath.Join(ws, "host")
			l, err := net.Listen("unix", host)
			if err != nil {
				t.Skipf("the path of a socket is too long: %v", err)
			}
			defer l.Close()
			p := wrapPlan(plan.Program{Path: bwrap, Args: walls(ws)})
			for i := range c.steps {
				if _, ok := c.steps[i].(plan.Broker); ok && c.allow {
					c.steps[i] = plan.Broker{Allow: []string{host}}
				}
			}
			p.Steps = append(slices.Clone(c.steps), p.Steps...)
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			text, status, err := output(t, open(t, p, o), ws, fmt.Sprintf(script, python))
			if err != nil || status != 0 || text != c.want {
				t.Errorf("%v, %v:\n%s", err, status, text)
			}
			if !slices.ContainsFunc(c.steps, func(s plan.Step) bool { return s.Name() == "broker" }) {
				return
			}
			o.Prove.Offline = false
			if s, err := Open(t.Context(), p, o); err == nil {
				s.Close()
				t.Error("connects are answered where the network may be the host's")
			}
		})
	}
}
