// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// The steps that the launcher of macOS knows, beside Limits, ProcessGroup and
// Watch, which mean the same there.

// TempDir makes an empty directory of this sandbox alone, with mode 0700, in
// Parent, which is made too where it is missing. Its real path becomes the
// parameter TMP of the profile, or the {tmp} of Landlock's rules, and the value
// of the variables TMPDIR, TMP and TEMP of every command. It goes with the
// sandbox. Linux knows it in plans without namespaces.
type TempDir struct {
	Parent string `json:"parent"`
}

// Seatbelt confines the commands by a profile of sandbox-exec(1). The launcher
// passes the parameters TTY, the caller's terminal or /dev/null, TMP where a
// step temp-dir is there, and PROXY, localhost and a port, where the network is
// "proxy". Profile alone is what is enforced; the lists say
// what it means for people, and a test of the backend compares the two.
type Seatbelt struct {
	Profile string `json:"profile"`
	// Network is "none", "ports" (what Ports lists on the host's loopback),
	// "proxy" (the port of the host's loopback at which caisson's proxy listens,
	// and Ports; the variables that name it are set when it listens) or "host".
	Network string   `json:"network"`
	Ports   []int    `json:"ports,omitempty"`
	Write   []string `json:"write,omitempty"`
	Protect []string `json:"protect,omitempty"` // present, inside something writable
	Absent  []string `json:"absent,omitempty"`  // kept from being created
	Show    []string `json:"show,omitempty"`    // inside something hidden
	Hide    []string `json:"hide,omitempty"`
	// Private are the host's directories for temporary files. They are hidden
	// but for what the policy names in them; the sandbox has its own.
	Private []string `json:"private,omitempty"`
}

func (TempDir) Name() string  { return "temp-dir" }
func (Seatbelt) Name() string { return "seatbelt" }

// PrivateOver returns the directory for temporary files of the host that a path
// lies in, or "" where it lies in none, or in something there that the policy
// names.
func (st Seatbelt) PrivateOver(path string) string {
	system := pathspec.Darwin
	over := ""
	for _, dir := range st.Private {
		if system.Within(dir, path) {
			over = dir
		}
	}
	for _, list := range [][]string{st.Write, st.Protect, st.Absent, st.Show} {
		for _, name := range list {
			if over != "" && system.Within(name, path) && system.Within(over, name) {
				return ""
			}
		}
	}
	return over
}

// maxProfile bounds the text of a profile, in bytes.
const maxProfile = 1 << 20

func checkSeatbelt(st Seatbelt) error {
	if !strings.HasPrefix(st.Profile, "(version 1)\n(deny default)\n") {
		return fmt.Errorf("the profile does not begin by denying everything")
	}
	if len(st.Profile) > maxProfile || strings.Contains(st.Profile, "\x00") {
		return fmt.Errorf("the profile is no text, or too long")
	}
	if err := oneOf("network", st.Network, "none", "ports", "proxy", "host"); err != nil {
		return err
	}
	if st.Network != "proxy" && (st.Network == "ports") != (len(st.Ports) > 0) {
		return fmt.Errorf("network %q with %d ports", st.Network, len(st.Ports))
	}
	if strings.Contains(st.Profile, `(param "PROXY")`) != (st.Network == "proxy") {
		return fmt.Errorf("network %q, and the profile has it otherwise", st.Network)
	}
	for _, port := range st.Ports {
		if port < 1 || port > 65535 {
			return fmt.Errorf("port %d", port)
		}
	}
	for _, list := range [][]string{st.Write, st.Protect, st.Absent, st.Show, st.Hide, st.Private} {
		for _, name := range list {
			if err := absolute(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// onDarwin reports whether the launcher of macOS knows a step.
func onDarwin(s Step) bool {
	switch s.(type) {
	case TempDir, Seatbelt, Limits, ProcessGroup, Watch:
		return true
	}
	return false
}

// checkDarwin checks the set of steps of a plan for macOS.
func (p *Plan) checkDarwin(seen map[string]bool) error {
	for i, s := range p.Steps {
		if !onDarwin(s) {
			return invalid("step %d, %s, is unknown on %s", i, s.Name(), p.OS)
		}
		if b, ok := s.(Seatbelt); ok && strings.Contains(b.Profile, `(param "TMP")`) != seen[TempDir{}.Name()] {
			return invalid("step %d, %s, and the step temp-dir do not agree", i, s.Name())
		}
	}
	if len(p.Steps) > 0 && !seen[Seatbelt{}.Name()] {
		return invalid("the steps have no seatbelt")
	}
	return nil
}

// seatbeltNetwork says in words what network the commands have.
func seatbeltNetwork(st Seatbelt) string {
	ports := strings.Trim(fmt.Sprint(st.Ports), "[]")
	switch st.Network {
	case "none":
		return "none, a loopback neither"
	case "ports":
		return "none but these ports of the host's loopback: " + ports
	case "proxy":
		if ports != "" {
			return "what caisson's proxy lets through, and these ports of the host's loopback: " + ports
		}
		return "what caisson's proxy lets through"
	}
	return "the host's"
}
