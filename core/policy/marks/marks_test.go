// SPDX-License-Identifier: Apache-2.0

package marks

import (
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// TestOf: what opens much is marked, and what a person means every day is not.
func TestOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind        diag.GrantKind
		value, want string
	}{
		{diag.GrantShow, "/home/u/.ssh/id", "HIDDEN"},
		{diag.GrantUnprotect, "/w/.envrc", "PROTECTED"},
		{diag.GrantUnix, "/run/s", "SOCKET"},
		{diag.GrantWrite, "/", "STARTED OUTSIDE"},
		{diag.GrantWrite, "~", "STARTED OUTSIDE"},
		{diag.GrantWrite, "/home", "STARTED OUTSIDE"},
		{diag.GrantWrite, "/home/u", "STARTED OUTSIDE"},
		{diag.GrantWrite, "/root", "STARTED OUTSIDE"},
		{diag.GrantWrite, "/Users/u", "STARTED OUTSIDE"},
		{diag.GrantWrite, `C:\Users`, "STARTED OUTSIDE"},
		{diag.GrantWrite, "/home/u/out", ""},
		{diag.GrantWrite, "/root/out", ""},
		{diag.GrantWrite, "~/.bashrc", "STARTED OUTSIDE"},
		{diag.GrantWrite, "/etc/cron.d", "STARTED OUTSIDE"},
		{diag.GrantWrite, `C:\Windows`, "STARTED OUTSIDE"},
		{diag.GrantWrite, "/srv/out", ""},
		{diag.GrantWrite, "~/.cache/tool", ""},
		{diag.GrantHost, "*", "EVERY HOST"},
		{diag.GrantHost, "*:443", "EVERY HOST"},
		{diag.GrantHost, "169.254.169.254:80", "NOT PUBLIC"},
		{diag.GrantHost, "169.254.169.254", "NOT PUBLIC"},
		{diag.GrantHost, "metadata.google.internal", "NOT PUBLIC"},
		{diag.GrantHost, "localhost", "NOT PUBLIC"},
		{diag.GrantHost, "10.0.0.0/8", "NOT PUBLIC"},
		{diag.GrantHost, "[fd00::1]:443", "NOT PUBLIC"},
		{diag.GrantHost, "example.org", ""},
		{diag.GrantHost, "example.org:443", ""},
		{diag.GrantHost, "*.example.org", ""},
		{diag.GrantHost, "*.example.org:443", ""},
		{diag.GrantHost, "1.1.1.1", ""},
		{diag.GrantHost, "[2606:4700::1]:443", ""},
		{diag.GrantLoopback, "5432", ""},
	} {
		if got := Of(diag.NewGrant(c.kind, c.value)); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.kind, c.value, got, c.want)
		}
	}
}
