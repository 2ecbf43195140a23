// SPDX-License-Identifier: Apache-2.0

// Package spawn starts programs on Windows inside a job: with exactly the
// handles, the environment, the token and the desktop that are named, and so
// that nothing of them is left when the job's last handle is closed.
//
// quote.go, environ.go and find.go are pure and without build tag.
package spawn

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBatchArgument says that an argument of a batch file cannot be passed on as
// it is.
var ErrBatchArgument = errors.New("an argument of a batch file holds a character that cmd.exe cannot be given")

// CommandLine joins arguments so that CommandLineToArgvW and the C runtime give
// them back. The first one is the program's name: no escape is known in it, so
// a quotation mark there is an error.
func CommandLine(args []string) (string, error) {
	if len(args) == 0 {
		return "", errors.New("a command line without program")
	}
	var b strings.Builder
	for i, a := range args {
		if strings.ContainsRune(a, 0) {
			return "", fmt.Errorf("argument %d holds a NUL", i)
		}
		if i == 0 {
			if strings.ContainsRune(a, '"') {
				return "", fmt.Errorf("the program's name holds a quotation mark: %q", a)
			}
			b.WriteString(`"` + a + `"`)
			continue
		}
		b.WriteByte(' ')
		quote(&b, a)
	}
	return b.String(), nil
}

// quote writes one argument. Backslashes are doubled before a quotation mark
// and at the end of quoted text, nowhere else.
func quote(b *strings.Builder, a string) {
	if a != "" && !strings.ContainsAny(a, " \t\n\v\"") {
		b.WriteString(a)
		return
	}
	b.WriteByte('"')
	slashes := 0
	for _, c := range []byte(a) {
		switch c {
		case '\\':
			slashes++
		case '"':
			b.WriteString(strings.Repeat(`\`, slashes+1))
			slashes = 0
		default:
			slashes = 0
		}
		b.WriteByte(c)
	}
	b.WriteString(strings.Repeat(`\`, slashes))
	b.WriteByte('"')
}

// IsBatch reports whether the system starts cmd.exe to run a file.
func IsBatch(path string) bool {
	p := strings.ToLower(strings.TrimRight(path, ". "))
	return strings.HasSuffix(p, ".bat") || strings.HasSuffix(p, ".cmd")
}

// BatchLine gives the command line by which cmd.exe runs a batch file with
// arguments. cmd.exe reads the line by rules of its own, before the batch file
// sees it: each argument is in quotation marks, with those inside doubled, and
// a percent sign is kept from naming a variable by one that is always empty
// beside it. What ends a line cannot be passed on.
func BatchLine(script string, args []string) (string, error) {
	if strings.ContainsAny(script, "\"%\r\n\x00") {
		return "", fmt.Errorf("the name of the batch file %q: %w", script, ErrBatchArgument)
	}
	var b strings.Builder
	b.WriteString(`cmd.exe /e:ON /v:OFF /d /c ""` + script + `"`)
	for i, a := range args {
		if strings.ContainsAny(a, "\r\n\x00") {
			return "", fmt.Errorf("argument %d, %q: %w", i+1, a, ErrBatchArgument)
		}
		b.WriteString(` "`)
		slashes := 0
		for _, c := range []byte(a) {
			switch c {
			case '\\':
				slashes++
			case '"':
				b.WriteString(strings.Repeat(`\`, slashes))
				b.WriteByte('"')
				slashes = 0
			case '%':
				b.WriteString(`%%cd:~,`)
				slashes = 0
			default:
				slashes = 0
			}
			b.WriteByte(c)
		}
		b.WriteString(strings.Repeat(`\`, slashes) + `"`)
	}
	b.WriteByte('"')
	return b.String(), nil
}
