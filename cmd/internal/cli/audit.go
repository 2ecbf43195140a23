// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/audit"
	"github.com/caisson-sandbox/caisson/core/diag"
)

func (p *program) auditCommand() *cobra.Command {
	c := group("audit", "Check and show audit files", p.auditVerify(), p.auditShow())
	c.Long = `Check and show audit files. run, sh, session and serve write them, with --audit FILE
or by the audit setting of the user's or the system's policy: what was run, how it
ended and what was denied to it, each record with the hash of the one before.`
	c.Example = `  caisson run --audit ~/audit.jsonl -- make
  caisson audit verify ~/audit.jsonl`
	return c
}

// opened opens an audit file for reading.
func opened(name string) (*os.File, error) {
	info, err := os.Stat(name) // to open a fifo would wait
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(name)
	}
	if err != nil {
		return nil, diag.New(diag.UsageInvalid, diag.Quote(name)+": "+cause(err).Error(), "")
	}
	return file, nil
}

func (p *program) auditVerify() *cobra.Command {
	var asJSON bool
	var head string
	c := &cobra.Command{
		Use:   "verify [flags] FILE",
		Short: "Say whether an audit file holds together",
		Long: `Say whether each record of an audit file follows the one before it. The exit
status is 1 where one was changed, removed or inserted. That records are missing at
the end is found by --head, with the hash that an earlier verify printed.`,
		Args: exactly(1, "one FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := opened(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			report, broken := audit.Verify(file, head)
			if asJSON {
				out := struct {
					audit.Report
					Broken *string `json:"broken"`
				}{Report: report}
				if broken != nil {
					text := broken.Error()
					out.Broken = &text
				}
				if err := printJSON(p.stdout, out); err != nil {
					return err
				}
			}
			if broken != nil {
				p.say(diag.Quote(args[0]) + ": " + broken.Error())
				return status(statusNo)
			}
			if !asJSON {
				fmt.Fprintf(p.stdout, "%d records hold together, %d halves of records; head %s\n", report.Records, report.Torn, report.Head)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	c.Flags().StringVar(&head, "head", "", "ask for a record with this `HASH` too")
	return c
}

func (p *program) auditShow() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show [flags] FILE",
		Short: "Print the records of an audit file, whether or not it holds together",
		Args:  exactly(1, "one FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := opened(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			records := 0
			out := bufio.NewWriter(p.stdout)
			err = audit.Read(file, func(line []byte, r audit.Record) error {
				records++
				var err error
				if asJSON {
					_, err = fmt.Fprintf(out, "%s\n", line)
				} else {
					_, err = fmt.Fprintln(out, diag.Escape(auditLine(r)))
				}
				return err
			})
			if flushed := out.Flush(); err == nil {
				err = flushed
			}
			if err != nil {
				return fmt.Errorf("%s: %w", diag.Quote(args[0]), err)
			}
			if info, err := file.Stat(); records == 0 && err == nil && info.Size() > 0 {
				p.say(diag.Quote(args[0]) + ": no line of it is a record")
				return status(statusNo)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the records as they are, one a line")
	return c
}

func auditLine(r audit.Record) string {
	line := fmt.Sprintf("%d %s %s %s", r.Seq, r.Time, r.User.Name, r.Event)
	if r.Command.Name != "" {
		line += " " + diag.Quote(r.Command.Name)
	}
	if r.Less != nil {
		line += " with less"
	}
	if r.Refusal != nil {
		line += ": " + r.Refusal.Message
	}
	if r.Result == nil {
		return line
	}
	switch {
	case !r.Result.Started:
		line += " was not started"
	case r.Result.Signal != 0:
		line += fmt.Sprintf(" signal %d", r.Result.Signal)
	default:
		line += fmt.Sprintf(" status %d", r.Result.Code)
	}
	return line
}
