// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

func (p *program) pluginCommand() *cobra.Command {
	return group("plugin", "List, trust and look into backends that are programs of their own",
		p.pluginList(), p.pluginTrust(), p.pluginUntrust(), p.pluginInspect())
}

// findPlugin finds a plugin by its name, or by its path if the word has a
// slash.
func findPlugin(word string) (registry.Plugin, error) {
	if strings.ContainsAny(word, `/\`) {
		return registry.Default().At(word)
	}
	return registry.Default().Find(word)
}

func (p *program) pluginList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the backend plugins that are installed, and whether they are trusted",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := registry.Default().List()
			if err != nil {
				return err
			}
			if asJSON {
				if list == nil {
					list = []registry.Plugin{}
				}
				return printJSON(p.stdout, list)
			}
			if len(list) == 0 {
				fmt.Fprintln(p.stdout, "no backend plugin is installed")
			}
			for _, found := range list {
				p.printPlugin(found)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) printPlugin(found registry.Plugin) {
	fmt.Fprintln(p.stdout, diag.Escape(fmt.Sprintf("%-9s %s %s", found.State, found.Name, diag.Quote(found.Path))))
	if found.Reason != "" {
		fmt.Fprintln(p.stdout, "          "+diag.Escape(found.Reason))
	}
	if found.Verdict != nil {
		fmt.Fprintln(p.stdout, "          "+diag.Escape(verdictWords(*found.Verdict)))
	}
}

// verdictWords says what the last conformance run came to.
func verdictWords(v registry.Verdict) string {
	word := "passed"
	if !v.Passed {
		word = fmt.Sprintf("FAILED %d of", v.Failed)
	}
	return fmt.Sprintf("conformance: %s %d cases on %s", word, v.Cases, v.Time.Format(time.DateOnly))
}

func (p *program) pluginTrust() *cobra.Command {
	var programs []string
	c := &cobra.Command{
		Use:   "trust [flags] NAME|PATH",
		Short: "Let a backend plugin run, as it is now",
		Long: `Let a backend plugin run, as it is now. It runs with your rights: know where it
comes from. The trust ends when the file changes. A plan of a plugin may have
programs executed that are part of the operating system, or the plugin itself;
others are trusted with it, by --program.`,
		Args: exactly(1, "the NAME or the PATH of one plugin"),
		RunE: func(_ *cobra.Command, args []string) error {
			found, err := findPlugin(args[0])
			if err != nil {
				return err
			}
			if found, err = registry.Default().Trust(found, programs, time.Now()); err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, diag.Escape(diag.Quote(found.Path)+" is trusted as it is now"))
			fmt.Fprintln(p.stdout, "  SHA-256 "+found.SHA256)
			for path, sum := range found.Trust.Programs {
				fmt.Fprintln(p.stdout, diag.Escape("  with "+diag.Quote(path)+", SHA-256 "+sum))
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&programs, "program", nil, "let its plans have `PATH` executed too (repeatable)")
	return c
}

func (p *program) pluginUntrust() *cobra.Command {
	return &cobra.Command{
		Use:   "untrust NAME|PATH",
		Short: "Take the trust in a backend plugin back",
		Long:  "Take the trust in a backend plugin back. The exit status is 1 if it was not trusted.",
		Args:  exactly(1, "the NAME or the PATH of one plugin"),
		RunE: func(_ *cobra.Command, args []string) error {
			was, err := registry.Default().Untrust(args[0])
			if err != nil {
				return err
			}
			if !was {
				p.say(diag.Quote(args[0]) + " was not trusted")
				return status(statusNo)
			}
			_, err = fmt.Fprintln(p.stdout, diag.Escape(diag.Quote(args[0])+" is not trusted any more"))
			return err
		},
	}
}

// inspected is what inspect says of a plugin.
type inspected struct {
	Plugin *registry.Plugin `json:"plugin"` // null for one that was attached to
	Info   backend.Info     `json:"info"`
	Report backend.Report   `json:"report"`
	Error  string           `json:"error,omitempty"`
}

func (p *program) pluginInspect() *cobra.Command {
	var asJSON, verbose bool
	c := &cobra.Command{
		Use:   "inspect [flags] NAME|PATH|" + reattach + "FILE",
		Short: "Run a trusted plugin and say what it offers on this host",
		Args:  exactly(1, "the NAME or the PATH of one plugin"),
		RunE: func(c *cobra.Command, args []string) error {
			defer p.endPlugins()
			var said inspected
			var b Running
			var err error
			if strings.HasPrefix(args[0], reattach) {
				b, err = p.startNamed(c.Context(), args[0], verbose)
			} else {
				var found registry.Plugin
				if found, err = findPlugin(args[0]); err != nil {
					return err
				}
				said.Plugin = &found
				b, err = p.startPlugin(c.Context(), found, verbose)
			}
			if err != nil {
				return err
			}
			said.Info = b.Info()
			report, failed := b.Probe(c.Context())
			if said.Report = report; failed != nil {
				said.Error = failed.Error()
			}
			if asJSON {
				return printJSON(p.stdout, said)
			}
			p.printInspected(said)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the facts of the host")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "print what the plugin logs")
	return c
}

func (p *program) printInspected(said inspected) {
	line := func(format string, args ...any) { fmt.Fprintln(p.stdout, diag.Escape(fmt.Sprintf(format, args...))) }
	line("%s %s, for %s", said.Info.Name, said.Info.Version, joined(said.Info.OS))
	if said.Plugin != nil {
		line("  file:    %s", diag.Quote(said.Plugin.Path))
		line("  SHA-256: %s, trusted on %s", said.Plugin.SHA256, said.Plugin.Trust.Time.Format(time.DateOnly))
		if said.Plugin.Verdict != nil {
			line("  %s", verdictWords(*said.Plugin.Verdict))
		}
	}
	if said.Error != "" {
		line("  cannot be asked: %s", said.Error)
		return
	}
	if !said.Report.Usable {
		line("  not usable on this host")
	}
	for _, id := range said.Report.Offers.IDs() {
		claim := said.Report.Offers[id]
		line("  offers   %-25s by %s %s", id, claim.By, claim.Note)
	}
	for _, u := range said.Report.Unmet {
		line("  lacks    %-25s %s", u.ID, diag.Diagnostic{Message: u.Reason, Remedy: u.Remedy})
	}
}
