// SPDX-License-Identifier: Apache-2.0

package apparmor

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Host is where a system has what setup looks at and changes.
type Host struct {
	Switch string // the setting that restricts, "1" where it does
	Dir    string // of the profiles
	Parser string // apparmor_parser(8)
}

// System returns the places of this system.
func System() Host {
	h := Host{Switch: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", Dir: "/etc/apparmor.d", Parser: "/usr/sbin/apparmor_parser"}
	if _, err := os.Stat(h.Parser); err != nil {
		h.Parser = "/sbin/apparmor_parser"
	}
	return h
}

// Restricts reports whether programs without a profile get namespaces without
// capabilities. Elsewhere nothing is needed.
func (h Host) Restricts() bool {
	text, err := os.ReadFile(h.Switch)
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

// File is the file of the profile.
func (h Host) File() string { return filepath.Join(h.Dir, "caisson") }

// marker begins every file that Install wrote, so that Uninstall removes no
// other.
const marker = "# Made by caisson setup install; caisson setup uninstall removes it.\n"

// Profile returns the text of the profile of programs, which are absolute paths
// in one directory.
// It confines nothing (flags=(unconfined)): what it gives is the rule userns. It
// is in the language of AppArmor 4, as no earlier parser knows that rule.
func Profile(programs []string) (string, error) {
	for _, p := range programs {
		if !filepath.IsAbs(p) || strings.ContainsAny(p, "*?[]{}^\"\\,@\n\r\t") {
			return "", diag.New(diag.UsageInvalid, "the path "+diag.Quote(p)+" cannot be said in an AppArmor profile", "install caisson at a path of letters, digits, dots and hyphens")
		}
	}
	if len(programs) == 0 {
		return "", diag.New(diag.UsageInvalid, "there is no program for a profile", "")
	}
	paths := programs[0]
	if len(programs) > 1 {
		var names []string
		for _, p := range programs {
			names = append(names, filepath.Base(p))
		}
		paths = filepath.Dir(paths) + "/{" + strings.Join(names, ",") + "}" // it must begin with a slash
	}
	return marker + `#
# The kernel gives user namespaces without capabilities to programs that have no
# profile. This gives them to caisson whole, and restricts it in nothing.

abi <abi/4.0>,
include <tunables/global>

profile caisson "` + paths + `" flags=(unconfined) {
  userns,

  include if exists <local/caisson>
}
`, nil
}

// Programs returns the installed programs that need the profile: the one at a
// path, and caisson-full beside it. Whoever can write one of them gets what the
// profile gives, so each must be root's alone.
func Programs(executable string) ([]string, error) {
	real, err := filepath.EvalSymlinks(executable)
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	list := []string{real}
	beside := filepath.Join(filepath.Dir(real), "caisson-full")
	if _, err := os.Stat(beside); err == nil && beside != real {
		list = append(list, beside)
	}
	for _, p := range list {
		for at := p; ; at = filepath.Dir(at) {
			info, err := os.Stat(at)
			if err != nil {
				return nil, fmt.Errorf("look at %s: %w", at, err)
			}
			if !rootsAlone(info) {
				return nil, diag.New(diag.UsageInvalid, diag.Quote(p)+" can be replaced by others than root, because "+diag.Quote(at)+" can be written by them: a profile for it would be for everybody",
					"install caisson where only root can write, as /usr/local/bin (what go run makes lies in a temporary directory and cannot have a profile)")
			}
			if at == "/" {
				break
			}
		}
	}
	return list, nil
}

// rootsAlone reports whether only root can write a file or directory.
func rootsAlone(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0 && info.Mode().Perm()&0o022 == 0
}

// State says what is there: "not-needed", "none", "ready" (the profile's file is
// as it would be written), "stale" (it is caisson's and differs), or "foreign"
// (a file of somebody else has the name).
func (h Host) State(programs []string) (string, error) {
	have, err := os.ReadFile(h.File())
	want, profileErr := Profile(programs)
	switch {
	case err != nil && !os.IsNotExist(err):
		return "", fmt.Errorf("read the profile: %w", err)
	case err == nil && !strings.HasPrefix(string(have), marker):
		return "foreign", nil
	case err == nil && profileErr == nil && string(have) == want:
		return "ready", nil
	case err == nil:
		return "stale", nil
	case !h.Restricts():
		return "not-needed", nil
	}
	return "none", nil
}

// Install writes the profile and loads it. Where it cannot be loaded, what was
// there before is put back.
func (h Host) Install(text string) error {
	before, err := os.ReadFile(h.File())
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("read the profile: %w", err)
	}
	if len(before) > 0 && !strings.HasPrefix(string(before), marker) {
		return diag.New(diag.UsageInvalid, diag.Quote(h.File())+" is not caisson's", "move it away")
	}
	if err := h.write([]byte(text)); err != nil {
		return err
	}
	if err := h.parse("--replace"); err != nil {
		if len(before) > 0 {
			return joinRestore(err, h.write(before))
		}
		return joinRestore(err, os.Remove(h.File()))
	}
	return nil
}

// Uninstall takes the profile out of the kernel and removes its file.
func (h Host) Uninstall() error {
	have, err := os.ReadFile(h.File())
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	if !strings.HasPrefix(string(have), marker) {
		return diag.New(diag.UsageInvalid, diag.Quote(h.File())+" is not caisson's, so it stays", "")
	}
	if err := h.parse("--remove"); err != nil {
		return err
	}
	return os.Remove(h.File())
}

// write replaces the file as a whole.
func (h Host) write(text []byte) error {
	f, err := os.CreateTemp(h.Dir, ".caisson-*")
	if err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	defer os.Remove(f.Name()) // renamed away where all went well
	if _, err = f.Write(text); err == nil {
		err = f.Chmod(0o644)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), h.File())
	}
	if err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	return nil
}

func (h Host) parse(what string) error {
	out, err := exec.Command(h.Parser, what, h.File()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", h.Parser, what, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func joinRestore(err, restore error) error {
	if restore != nil {
		return fmt.Errorf("%w; and what was there before could not be put back: %w", err, restore)
	}
	return err
}
