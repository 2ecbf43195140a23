// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/caisson-sandbox/caisson/cmd/internal/apparmor"
	"github.com/caisson-sandbox/caisson/core/diag"
)

const nothingNeeded = "nothing is needed on this system"

// setupProfile is the profile for this program, as it is installed.
func setupProfile() (programs []string, text string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("find this program: %w", err)
	}
	if programs, err = apparmor.Programs(self); err != nil {
		return nil, "", err
	}
	text, err = apparmor.Profile(programs)
	return programs, text, err
}

// setupInstall shows the profile, and writes and loads it as root.
func (p *program) setupInstall(c setupChoices) error {
	h := apparmor.System()
	if !h.Restricts() {
		fmt.Fprintln(p.stdout, nothingNeeded)
		return nil
	}
	_, text, err := setupProfile()
	if err != nil {
		return err
	}
	lines := append([]string{"write " + h.File() + ":", ""}, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
	lines = append(lines, "", "load it: "+h.Parser+" --replace "+h.File())
	if os.Geteuid() != 0 {
		for _, l := range append([]string{"setup will do this, as root:"}, lines...) {
			fmt.Fprintln(p.stdout, diag.Escape(l))
		}
		return diag.New(diag.UsageInvalid, "only root can write and load an AppArmor profile", "sudo caisson setup install")
	}
	if err := p.agree("setup will do this:", lines, c.yes); err != nil {
		return err
	}
	return h.Install(text)
}

func (p *program) setupStatus(_ context.Context, repair, asJSON bool, c setupChoices) error {
	h := apparmor.System()
	programs, _, err := setupProfile()
	detail := ""
	if err != nil { // it is no obstacle where nothing is needed
		detail = err.Error()
	}
	state, err := h.State(programs)
	if err != nil {
		return err
	}
	if state == "not-needed" {
		detail = ""
	}
	switch {
	case asJSON:
		said := map[string]string{"state": state}
		if detail != "" {
			said["detail"] = detail
		}
		if err := printJSON(p.stdout, said); err != nil {
			return err
		}
	case state == "not-needed":
		fmt.Fprintln(p.stdout, nothingNeeded)
	default:
		line := "setup: " + state + ", " + h.File()
		if detail != "" {
			line += "; " + detail
		}
		fmt.Fprintln(p.stdout, diag.Escape(line))
	}
	switch {
	case state == "ready" || state == "not-needed":
		return nil
	case repair:
		return p.setupInstall(c)
	}
	return status(statusNo)
}

// setupUninstall removes the profile, also where it is not needed any more.
func (p *program) setupUninstall(c setupChoices) error {
	h := apparmor.System()
	state, err := h.State(nil)
	if err != nil {
		return err
	}
	switch state {
	case "not-needed":
		fmt.Fprintln(p.stdout, nothingNeeded)
		return nil
	case "none", "foreign":
		return diag.New(diag.UsageInvalid, "there is no profile of caisson's at "+diag.Quote(h.File()), "")
	}
	if err := p.agree("this will be undone:", []string{"unload it: " + h.Parser + " --remove " + h.File(), "remove " + h.File()}, c.yes); err != nil {
		return err
	}
	return h.Uninstall()
}
