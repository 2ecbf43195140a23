// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Hold open sandboxes for a program in any language",
		Long: `Hold open sandboxes for a program in any language, which starts this one and
speaks JSON-RPC 2.0 with it, one message a line, on the standard input and output.
docs/serve.md says how. With the end of the input, or when nobody reads the output
any more, everything ends that was started.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			// SIGPIPE would end this process at once, before it has tidied up.
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
			defer stop()
			p.serving = true
			return serve.Serve(watchReader(ctx, p.stdout), p.stdin, p.stdout, serve.Options{
				Caisson: outcome.Version(),
				Prepare: p.prepareOpen,
				Hosts:   p.hostsFor,
			})
		},
	}
}

// alone is a program of its own for one request of a client, which starts and
// ends its plugins apart from others.
func (p *program) alone() *program {
	return &program{stdin: p.stdin, stdout: p.stderr, stderr: p.stderr, args: p.args, hosting: p.hosting, serving: p.serving}
}

// hostsFor lists the backends.
func (p *program) hostsFor(ctx context.Context) (any, error) {
	q := p.alone()
	defer q.endPlugins()
	return q.listBackends(ctx)
}

// prepareOpen prepares the sandbox that a client asks for.
func (p *program) prepareOpen(ctx context.Context, open serve.Open) (*sandbox.Prepared, func(), error) {
	f, err := readFlags(open.Flags)
	if err != nil {
		return nil, nil, err
	}
	f.workspace = append(open.Workspace[:len(open.Workspace):len(open.Workspace)], f.workspace...)
	if f.policyFile == "-" {
		return nil, nil, diag.New(diag.UsageInvalid, "--policy -: the standard input has the messages", `pass the policy as "policy"`)
	}
	if len(open.Policy) > 0 {
		if f.policyFile != "" {
			return nil, nil, diag.New(diag.UsageInvalid, `--policy and "policy" exclude each other`, "leave one of them out")
		}
		f.policyFile = "-"
	}
	options := sandbox.Options{Reason: open.Reason}
	noted := func(wanted policy.Policy, err error) error {
		if !open.Opens {
			return err
		}
		return sandbox.NoteRefusal(wanted, &options, err)
	}
	wanted, notes, err := f.policy(bytes.NewReader(open.Policy))
	if err != nil {
		said, _ := f.said() // with the system's, it is all that is known
		return nil, nil, noted(said, err)
	}
	q := p.alone()
	prepared, err := q.prepare(ctx, f, wanted, options)
	err = noted(wanted, err)
	if prepared != nil {
		prepared.Notes = append(notes, prepared.Notes...)
	}
	return prepared, q.endPlugins, err
}

// readFlags reads flags of run from a list.
func readFlags(list []string) (*flags, error) {
	f := &flags{}
	c := &cobra.Command{Use: "run"}
	f.add(c)
	if err := c.ParseFlags(list); err != nil {
		return nil, diag.New(diag.UsageInvalid, fmt.Sprintf("the flags: %v", err), "see caisson run --help")
	}
	if rest := c.Flags().Args(); len(rest) > 0 {
		return nil, diag.New(diag.UsageInvalid, "the flags: "+diag.Quote(rest[0])+" is none", "see caisson run --help")
	}
	return f, nil
}
