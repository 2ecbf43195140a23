// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// addSockets reads the unix sockets that the policy grants. What is not there
// when the sandbox is made is not granted: whoever made it later might be a
// command.
func (r *resolver) addSockets() error {
	for _, e := range r.policy.entries("network.unix") {
		paths, err := r.paths(e)
		if err != nil {
			return err
		}
		for _, p := range paths {
			if err := r.addSocket(e, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *resolver) addSocket(e entry, path string) error {
	at := r.real(path)
	r.loosen("network.unix", e, path, at)
	switch {
	case slices.Contains(r.sockets, at.Path):
		return nil
	case at.Kind == KindAbsent:
		r.noteAbsent(diag.PathAbsent, e, path, "no socket can be reached there")
		return nil
	case at.Kind != KindOther:
		return refuseEntry(diag.PolicyInvalid, e, "unix: "+diag.Quote(path)+" is no socket", "name the socket itself")
	}
	r.sockets = append(r.sockets, at.Path)
	r.liftAt(sayHide, path, at)
	r.claims = append(r.claims, claim{Rule: ruleAt(at, e.Origin), say: sayShow, layer: e.Layer})
	r.notes = append(r.notes, *refuseEntry(diag.SocketGranted, e, diag.Quote(path)+" can be reached: "+socketGives(r.os, at.Path), ""))
	return nil
}

// socketGives says what a command can do that reaches a unix socket of the host.
// Whoever listens takes the command for the user, and confines nothing.
func socketGives(os pathspec.OS, name string) string {
	base, above := os.Base(name), os.Base(os.Dir(name))
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(base, w) || strings.Contains(above, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("docker", "podman", "containerd", "buildkit", "crio", "lxd", "incus", "libvirt"):
		return "who listens there starts containers and machines, with any directory of the host in them: that is no sandbox any more"
	case strings.HasPrefix(base, "S.gpg-agent"), has("gnupg"):
		return "who listens there signs and decrypts with every key of the user, while the sandbox lives"
	case strings.HasPrefix(base, "agent."), has("ssh", "keyring"):
		return "who listens there signs with every key in it: commands can log in, and push, wherever the user can"
	case base == "bus", has("dbus", "systemd"):
		return "who listens there starts programs outside of the sandbox"
	case has("X11", "wayland"):
		return "who listens there shows what is on the screen, and types for the user"
	}
	return "who listens there does for commands what it does for the user"
}
