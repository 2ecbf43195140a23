// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// TestSockets: a socket that is there is granted, shown where it is hidden, and
// the note says what it gives away; what is not there, or no socket, is not.
func TestSockets(t *testing.T) {
	t.Parallel()
	host := func() *mapHost {
		return unixHost(map[string]string{
			"/home/me/ws/x": "", "/home/me/.ssh/agent.7": "device", "/home/me/.ssh/id": "", "/run/docker.sock": "device", "/home/me/file": "", "/home/me/dir/": "",
		})
	}
	for name, c := range map[string]struct {
		path, want string // what the note says
		code       diag.Code
		granted    bool
	}{
		"an agent that is hidden": {"/home/me/.ssh/agent.7", "signs with every key", diag.SocketGranted, true},
		"an engine":               {"/run/docker.sock", "no sandbox any more", diag.SocketGranted, true},
		"what is not there":       {"/home/me/none.sock", "does not exist", diag.PathAbsent, false},
		"a file":                  {"/home/me/file", "is no socket", diag.PolicyInvalid, false},
		"a directory":             {"/home/me/dir", "is no socket", diag.PolicyInvalid, false},
	} {
		p := Policy{Version: 1, Workspace: []string{"/home/me/ws"}}
		p.Network.Unix = []string{c.path}
		r, notes, err := p.Resolve(host())
		if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
			notes = append(notes, *d)
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		said := false
		for _, n := range notes {
			said = said || n.Code == c.code && strings.Contains(n.Message, c.want)
		}
		if !said || (err != nil) != (c.code == diag.PolicyInvalid) {
			t.Errorf("%s: %v, %+v", name, err, notes)
		}
		if err != nil {
			continue
		}
		if got := len(r.Network().Unix) == 1; got != c.granted {
			t.Errorf("%s: granted %q", name, r.Network().Unix)
		}
		if access, _ := r.AccessTo(c.path); c.granted && access == Hidden {
			t.Errorf("%s: it is hidden", name)
		}
		if access, _ := r.AccessTo("/home/me/.ssh/id"); access != Hidden {
			t.Errorf("%s: what lies beside it is shown", name)
		}
	}
}

// TestSocketGives: each kind of socket has a sentence of its own.
func TestSocketGives(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/tmp/ssh-XXXX/agent.123": "log in", "/run/user/1/keyring/ssh": "log in", "/run/user/1/gnupg/S.gpg-agent": "signs and decrypts",
		"/run/user/1/bus": "starts programs", "/run/dbus/system_bus_socket": "starts programs", "/tmp/.X11-unix/X0": "screen",
		"/run/user/1/wayland-0": "screen", "/run/user/1/podman/podman.sock": "containers", "/srv/app.sock": "for the user",
	} {
		if got := socketGives(pathspec.Linux, path); !strings.Contains(got, want) {
			t.Errorf("%s: %q", path, got)
		}
	}
}
