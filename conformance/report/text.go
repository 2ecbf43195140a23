// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caisson-sandbox/caisson/core/diag"
)

const (
	longest = 1000 // characters of one text in a report for people
	stacked = 4    // combining marks on one letter; no script needs more
)

// Visible returns text that a target had a hand in so that it can be printed on
// a terminal or into a document. What moves the cursor, reorders or hides text
// becomes an escape as Go writes it, such as \x1b or \u202e: control and format
// characters, odd spaces, fillers without a shape, heaps of combining marks and
// bytes that are no UTF-8. The result is one line of at most 1000 characters.
// It cannot be turned back; the JSON form keeps every character.
func Visible(s string) string {
	var b strings.Builder
	marks, n := 0, 0
	for at := 0; at < len(s); n++ {
		r, size := utf8.DecodeRuneInString(s[at:])
		if n == longest {
			fmt.Fprintf(&b, "… (%d more bytes)", len(s)-at)
			break
		}
		if unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[at])
		case diag.Printable(r) && marks <= stacked:
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		at += size
	}
	return b.String()
}

// raw is text of a format that needs no more escaping.
type raw string

// document is a text in one format. What is put into it is escaped, unless it
// is raw or a number, so that forgetting it is not possible.
type document struct {
	strings.Builder
	escape func(string) string
}

// put appends as fmt.Fprintf does.
func (d *document) put(format string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case raw:
			args[i] = string(a)
		case int, int64, uint64:
		default:
			args[i] = d.escape(fmt.Sprint(a))
		}
	}
	fmt.Fprintf(d, format, args...)
}

// markup makes text fit for XML and HTML, in elements and in attributes.
func markup(s string) string { return html.EscapeString(Visible(s)) }

// prose makes text fit for a line of Markdown, by the backslash escapes of
// CommonMark, of tables and of bare addresses, which GFM would make links of.
func prose(s string) string {
	var b strings.Builder
	s = Visible(s)
	for i, r := range s {
		link := r == ':' && strings.HasPrefix(s[i:], "://") ||
			r == '.' && i >= 3 && strings.EqualFold(s[i-3:i], "www")
		if link || strings.ContainsRune("\\`*_[]<>#|~&@$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// code makes a code span of Markdown, in which nothing is a link, a mention or
// markup. A span is no place for a bar in a table, so a bar becomes a broken one.
func code(s string) raw {
	s = strings.ReplaceAll(Visible(s), "|", "¦")
	if s == "" {
		return ""
	}
	run, most := 0, 0
	for _, r := range s {
		if r == '`' {
			run++
			most = max(most, run)
		} else {
			run = 0
		}
	}
	fence, pad := strings.Repeat("`", most+1), ""
	if s[0] == '`' || s[len(s)-1] == '`' || strings.Trim(s, " ") == "" {
		pad = " "
	}
	return raw(fence + pad + s + pad + fence)
}

// seconds writes milliseconds for people.
func seconds(ms int64) string {
	return strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64) + " s"
}
