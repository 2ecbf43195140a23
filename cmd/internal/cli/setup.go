// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"
)

// setupChoices are what a person says of a setup.
type setupChoices struct {
	offline, online, proxy int
	yes                    bool
}

func (p *program) setupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make, look at or remove what sandboxes need of this machine",
		Long: `Make, look at or remove what sandboxes need of this machine, once. On Windows
these are local accounts without a network, or with caisson's proxy alone, and
the filters that keep them so; each change is printed before the system asks for
the rights of an administrator. On Linux it is one AppArmor profile, where the kernel gives user
namespaces without capabilities to programs that have none; it is printed first
and root writes it. Elsewhere nothing is needed.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	choices := setupChoices{}
	install := &cobra.Command{
		Use: "install", Short: "Make it, or mend what is there", Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return p.setupInstall(choices) },
	}
	install.Flags().IntVar(&choices.offline, "offline", 4, "make `N` accounts without a network: so many sandboxes can be open at once")
	install.Flags().IntVar(&choices.online, "online", 2, "make `N` accounts with the host's network")
	install.Flags().IntVar(&choices.proxy, "proxy", 2, "make `N` accounts that reach caisson's proxy alone, for --net allowlist")
	install.Flags().BoolVar(&choices.yes, "yes", false, "do not ask")
	var repair, asJSON bool
	status := &cobra.Command{
		Use: "status", Short: "Say what is there", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.setupStatus(c.Context(), repair, asJSON, choices) },
	}
	status.Flags().BoolVar(&repair, "repair", false, "mend what is missing")
	status.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	status.Flags().BoolVar(&choices.yes, "yes", false, "do not ask")
	uninstall := &cobra.Command{
		Use: "uninstall", Short: "Remove it", Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return p.setupUninstall(choices) },
	}
	uninstall.Flags().BoolVar(&choices.yes, "yes", false, "do not ask")
	c.AddCommand(install, status, uninstall)
	return c
}
