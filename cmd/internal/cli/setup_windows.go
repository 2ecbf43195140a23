// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/windows"

	backend "github.com/caisson-sandbox/caisson/backends/windows"
	"github.com/caisson-sandbox/caisson/backends/windows/helper"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// setupInstall makes what is missing. The passwords are sealed before they are
// set: what is set can be unsealed in any case.
func (p *program) setupInstall(c setupChoices) error {
	state := policy.OSHost().OwnDirs().State
	r, err := helper.NewRequest(state, helper.Pools{Offline: c.offline, Online: c.online, Proxy: c.proxy}, homeReads())
	if err != nil {
		return err
	}
	if err := p.agree("setup will do this:", helper.Describe(r.Setup.Changes()), c.yes); err != nil {
		return err
	}
	if err := r.Seal(state); err != nil {
		return fmt.Errorf("seal the passwords: %w", err)
	}
	return helper.Ask("setup", r, p.tellChange)
}

func (p *program) tellChange(line string) { fmt.Fprintln(p.stdout, diag.Escape(line)) }

// homeReads are the directories of the user's home that sandboxes may read.
func homeReads() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(home)
	if err != nil {
		return nil
	}
	var names, hidden []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	dir, err := os.MkdirTemp("", "caisson-setup-")
	if err != nil {
		return nil
	}
	defer os.RemoveAll(dir)
	r, _, err := policy.Standard(dir).Resolve(policy.OSHost())
	if err != nil {
		return nil
	}
	for _, rule := range r.Rules() {
		if rule.Access == policy.Hidden {
			hidden = append(hidden, rule.Path)
		}
	}
	return helper.Reads(home, names, hidden)
}

// setupState is what the backend's probe sees of the setup.
func setupState(ctx context.Context) (backend.Setup, error) {
	for _, c := range sandbox.Probe(ctx, sandbox.Backends()) {
		if c.Info.Name != backend.AccountName {
			continue
		}
		var f backend.Facts
		if c.Err != nil {
			return backend.Setup{}, c.Err
		}
		err := json.Unmarshal(c.Report.Facts, &f)
		return f.Setup, err
	}
	return backend.Setup{State: "none"}, nil
}

func (p *program) setupStatus(ctx context.Context, repair, asJSON bool, c setupChoices) error {
	s, err := setupState(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		if err := printJSON(p.stdout, s); err != nil {
			return err
		}
	} else {
		line := "setup: " + s.State
		if s.Detail != "" {
			line += ", " + s.Detail
		}
		if s.State == "ready" {
			line += fmt.Sprintf(", %d accounts without and %d with a network, %d that reach caisson's proxy", s.Offline, s.Online, s.Proxy)
		}
		fmt.Fprintln(p.stdout, diag.Escape(line))
	}
	if repair {
		o, ok, err := recordedSetup()
		if err != nil {
			return err
		}
		if ok {
			c.offline, c.online, c.proxy = o.Offline, o.Online, o.Proxy
		} else {
			c.offline, c.online, c.proxy = 4, 2, 2
		}
		return p.setupInstall(c)
	}
	if s.State != "ready" {
		return status(statusNo)
	}
	return nil
}

func recordedSetup() (helper.Options, bool, error) {
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return helper.Options{}, false, err
	}
	return helper.Found(self.User.Sid.String())
}

func (p *program) setupUninstall(c setupChoices) error {
	o, ok, err := recordedSetup()
	if err != nil {
		return err
	}
	if !ok {
		return diag.New(diag.UsageInvalid, "there is no setup of this user", "")
	}
	if err := p.agree("this will be undone:", helper.Describe(o.Changes()), c.yes); err != nil {
		return err
	}
	if err := helper.Ask("teardown", helper.Request{Version: helper.Version, Setup: o, Passwords: map[string]string{}}, p.tellChange); err != nil {
		return err
	}
	return o.Forget(policy.OSHost().OwnDirs().State)
}
