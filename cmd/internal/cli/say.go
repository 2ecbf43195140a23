// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

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

func (p *program) say(line string) { fmt.Fprintln(p.stderr, "caisson: "+printable(line)) }

// cause drops the path from an error: the message names it already.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// printable escapes what could drive the terminal that a line is printed on.
func printable(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 && strings.ToValidUTF8(s, "") == s {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) || r == unicode.ReplacementChar {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unprintable also holds the marks that reorder text (Unicode category Cf).
func unprintable(r rune) bool { return unicode.Is(unicode.C, r) }

// printJSON writes v indented, with a newline. What is printed is data: it is
// not escaped for terminals beyond what JSON escapes.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
