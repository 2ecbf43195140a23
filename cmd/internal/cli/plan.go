// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// maxFacts bounds a file of recorded facts, in bytes.
const maxFacts = 4 << 20

func (p *program) planCommand() *cobra.Command {
	f := &flags{}
	var facts, system string
	var asJSON bool
	c := &cobra.Command{
		Use:   "plan [flags] [-- COMMAND...]",
		Short: "Print how a sandbox would be made, and make none",
		Long: `Print how the sandbox of a policy would be made on this host, and what would
hold in it. A command is accepted and ignored. Where a needed guarantee cannot
be upheld the plan is printed all the same, with what is unmet, and the exit
status is 125.`,
		RunE: func(c *cobra.Command, _ []string) error {
			form, err := f.takeForm(c)
			if err != nil {
				return err
			}
			if form != "" && asJSON {
				return usageError(c, "--show %s and --json exclude each other", form)
			}
			prepared, refused := p.planned(c.Context(), f, system, facts)
			if prepared == nil || prepared.Plan == nil {
				return refused
			}
			if err := p.printPlan(prepared.Plan, form, asJSON); err != nil {
				return err
			}
			return refused
		},
	}
	c.Flags().SetInterspersed(false)
	f.add(c)
	s := c.Flags()
	s.Lookup("show").Usage = "let `PATH` be read although it is hidden; or syscalls, or profile: print the list of system calls of Linux, or the profile of macOS (repeatable)"
	s.StringVar(&facts, "facts", "", "plan for the host whose facts are in `FILE`, as backends --json prints them")
	s.StringVar(&system, "os", "", "plan for a usual machine of `SYSTEM` instead: linux, darwin or windows")
	s.BoolVar(&asJSON, "json", false, "print the plan as canonical JSON")
	return c
}

// The forms in which --show prints a plan.
const (
	formSyscalls = "syscalls"
	formProfile  = "profile"
)

// takeForm takes the form of the plan out of the values of --show; "" is the
// usual one. A path of that name is written with a directory, as ./syscalls.
func (f *flags) takeForm(c *cobra.Command) (form string, err error) {
	var paths []string
	for _, v := range f.show {
		switch {
		case v != formSyscalls && v != formProfile:
			paths = append(paths, v)
		case form != "" && form != v:
			return "", usageError(c, "--show %s and --show %s exclude each other", form, v)
		default:
			form = v
		}
	}
	f.show = paths
	return form, nil
}

// planned prepares the sandbox of the flags. What was prepared is there also
// with an error where a plan could be made.
func (p *program) planned(ctx context.Context, f *flags, system, facts string) (*sandbox.Prepared, error) {
	o := &sandbox.Options{Prefer: f.backend}
	load := func() (policy.Policy, []diag.Diagnostic, error) { return f.policy(p.policyInput()) }
	switch {
	case system != "" && system != runtime.GOOS:
		load = func() (policy.Policy, []diag.Diagnostic, error) { return p.elsewhere(f, system, facts, o) }
	case facts != "":
		var err error
		if o.Backends, err = readFacts(facts, sandbox.Backends()); err != nil {
			return nil, err
		}
	}
	wanted, notes, err := load()
	if err != nil {
		return nil, err
	}
	prepared, err := p.prepare(ctx, f, wanted, *o)
	if prepared != nil && !f.quiet {
		for _, d := range append(notes, prepared.Notes...) {
			if f.verbose || isTerminal(p.stderr) || d.Code == diag.HideAbsent {
				p.note(d)
			}
		}
	}
	return prepared, err
}

func (p *program) printPlan(made *plan.Plan, form string, asJSON bool) error {
	switch {
	case form == formProfile:
		return p.printProfile(made)
	case form == formSyscalls && made.OS != "linux":
		return diag.New(diag.UsageInvalid, "--show syscalls: plans for "+made.OS+" are no list of system calls", "")
	case form == formSyscalls:
		text, err := launch.Syscalls(made)
		if err != nil {
			return err
		}
		_, err = io.WriteString(p.stdout, text)
		return err
	case asJSON:
		text, err := plan.Encode(made)
		if err != nil {
			return err
		}
		_, err = p.stdout.Write(append(diag.EscapeJSON(text), '\n'))
		return err
	}
	return made.Explain(p.stdout)
}

// printProfile prints the profile by which a plan confines.
func (p *program) printProfile(made *plan.Plan) error {
	for _, s := range made.Steps {
		if b, ok := s.(plan.Seatbelt); ok {
			_, err := io.WriteString(p.stdout, b.Profile)
			return err
		}
	}
	return diag.New(diag.UsageInvalid, "--show profile: plans for "+made.OS+" have no profile", "write --os darwin for that of macOS")
}

// readFacts returns those of the known backends that the file has facts for, on
// the host where `caisson backends --json` printed it.
func readFacts(path string, known []backend.Backend) ([]backend.Backend, error) {
	refuse := func(err error) error {
		return diag.New(diag.UsageInvalid, fmt.Sprintf("the facts in %s: %v", diag.Quote(path), err), "record them with caisson backends --json")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, refuse(cause(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFacts+1))
	if err != nil {
		return nil, refuse(cause(err))
	}
	if len(text) > maxFacts {
		return nil, refuse(errors.New("the file is too large"))
	}
	var list []listed
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, refuse(err)
	}
	var backends []backend.Backend
	for _, b := range known {
		for _, l := range list {
			if l.Info.Name == b.Info().Name {
				backends = append(backends, recorded{b, l.Report.Facts})
			}
		}
	}
	if len(backends) == 0 {
		return nil, refuse(errors.New("they are of no backend of this system"))
	}
	return backends, nil
}
