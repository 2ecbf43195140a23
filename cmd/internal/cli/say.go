// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// complain prints an error with its remedy, and the grant that helps.
func (p *program) complain(err error) {
	if refusal, ok := errors.AsType[*sandbox.Refusal](err); ok && len(refusal.Unmet) > 0 {
		p.complainUnmet(refusal)
		return
	}
	p.say(err.Error())
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok && d.Grant != nil {
		p.say("allow it with " + d.Grant.Flags())
	}
}

// complainUnmet prints one line for each reason, and the grants.
func (p *program) complainUnmet(r *sandbox.Refusal) {
	for _, why := range r.Reasons() {
		line := fmt.Sprintf("refused: %s cannot be upheld here: %s", joined(why.IDs), why.Reason)
		if why.Remedy != "" {
			line += "; " + why.Remedy
		}
		p.say(line)
	}
	for _, u := range r.Unmet {
		if u.Grant != nil {
			p.say(fmt.Sprintf("go on without %s: %s", u.ID, u.Grant.Flags()))
		}
	}
}

// note prints a finding.
func (p *program) note(d diag.Diagnostic) {
	line := d.String()
	if d.Grant != nil {
		line += " (" + d.Grant.Flags() + ")"
	}
	p.say(line)
}

func (p *program) say(line string) { fmt.Fprintln(p.stderr, "caisson: "+diag.Escape(line)) }

// cause drops the path from an error: the message names it already.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// printJSON writes v indented, with a newline. Its strings mean what they are;
// what could drive a terminal or mislead a reader is escaped in them.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(diag.EscapeJSON(b.Bytes()))
	return err
}
