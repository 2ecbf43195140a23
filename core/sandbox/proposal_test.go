// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

func deniedWith(operation, target string, kind diag.GrantKind, value string) Denial {
	g := diag.NewGrant(kind, value)
	return Denial{Source: "trace", Operation: operation, Target: target, Count: 2, Grant: &g}
}

// TestProposal: the text is a policy that says what has no mark and nothing
// else, whatever the names are.
func TestProposal(t *testing.T) {
	t.Parallel()
	odd := `/srv/a "b" \c # [files] 'd' = ]`
	list := []Denial{
		deniedWith("create", "/srv/x/y", diag.GrantWrite, "/srv/x"),
		deniedWith("write", "/srv/x/z", diag.GrantWrite, "/srv/x"),
		deniedWith("create", "/srv/x/deep/y", diag.GrantWrite, "/srv/x/deep"),
		deniedWith("create", odd+"/f", diag.GrantWrite, odd),
		deniedWith("read", "/home/u/.ssh/id", diag.GrantShow, "/home/u/.ssh/id"),
		deniedWith("write", "/w/.envrc", diag.GrantUnprotect, "/w/.envrc"),
		deniedWith("connect", "unix:/run/s", diag.GrantUnix, "/run/s"),
		deniedWith("connect", "net:127.0.0.1:80", diag.GrantLoopback, "5432"),
		deniedWith("connect", "net:a.example:443", diag.GrantHost, "a.example:443"),
		deniedWith("connect", "net:169.254.169.254:80", diag.GrantHost, "169.254.169.254:80"),
		deniedWith("connect", "net:10.0.0.1:443", diag.GrantHost, "10.0.0.1:443"),
		deniedWith("connect", "net:[::]:443", diag.GrantHost, "[::]:443"),
		deniedWith("connect", "net:1.1.1.1:443", diag.GrantHost, "1.1.1.1:443"),
		deniedWith("write", "/home/u/.bashrc", diag.GrantWrite, "/home/u/.bashrc"),
		deniedWith("create", "/etc/cron.d/x", diag.GrantWrite, "/etc/cron.d"),
		deniedWith("create", "/srv/x/bin/git", diag.GrantWrite, "/srv/x/bin"),
		deniedWith("create", `C:\Windows\x`, diag.GrantWrite, `C:\Windows`),
		{Source: "broker", Operation: "connect", Target: "net:192.0.2.1:1", Remedy: "offline"},
	}
	p := Propose(list, 7)
	text := p.TOML()
	got, err := policy.Decode("proposal", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if want := []string{odd, "/srv/x"}; !slices.Equal(got.Files.Write, want) {
		t.Errorf("write %q", got.Files.Write)
	}
	if !slices.Equal(got.Network.Loopback, []int{5432}) || !slices.Equal(got.Network.Allow, []string{"1.1.1.1:443", "a.example:443"}) {
		t.Errorf("network %+v", got.Network)
	}
	if n := len(got.Files.Show) + len(got.Files.Unprotect) + len(got.Network.Unix); n > 0 {
		t.Errorf("%d marked lines are in force:\n%s", n, text)
	}
	for _, want := range []string{"# !!! HIDDEN", `#   "/home/u/.ssh/id"`, "# !!! PROTECTED", "# !!! SOCKET", "# !!! STARTED OUTSIDE", `#   "/srv/x/bin"`, `#   "/etc/cron.d"`, "# !!! NOT PUBLIC", `#   "169.254.169.254:80"`, "192.0.2.1:1", "7 more", "(2 times)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	uncommented := strings.ReplaceAll(text, "# ", "")
	if !strings.Contains(uncommented, "unprotect = [\n") {
		t.Error("the marked lines cannot be used by taking the marks off")
	}
	if got, err := policy.Decode("empty", []byte(Propose(nil, 0).TOML())); err != nil || len(got.Settings()) != len(policy.Policy{}.Settings()) {
		t.Errorf("nothing proposes something: %v, %+v", err, got)
	}
}
