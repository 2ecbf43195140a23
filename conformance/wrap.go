// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Wrap is a target that is a command: `TOOL ARGS -- COMMAND` runs COMMAND in
// its sandbox. The command line may hold placeholders:
//
//	{workspace}  the writable directory, also the working directory
//	{write}      each further writable root
//	{hide}       each path that must neither be read nor listed
//	{hide-dir}   each of them that is a directory
//	{hide-file}  each of them that is none
//	{protect}    each path inside a writable root that must not change
//	{helper}     the directory of the program that is run
//	{timeout}    the limit in seconds
//	{memory}     the limit in bytes
//	{processes}  the most processes at once
//
// A word with a placeholder is repeated for each value, and dropped where there
// is none; so is a group of words as a whole.
type Wrap struct {
	Name string
	// Line is the command line before the command: words, in groups that are
	// repeated or dropped together. A word of its own is a group of one.
	Line [][]string
	// Version is the command line that prints the tool's version; nil is not
	// known.
	Version []string
	// Claims are the guarantees that the tool promises.
	Claims []guarantee.ID
	// Notes say what is unfair about judging this tool so.
	Notes string
}

// ParseWrap reads a command line as a shell would split it; nothing runs a
// shell. Such a tool is taken to claim every guarantee but net.allowlist and
// events.denials.
func ParseWrap(line string) (Wrap, error) {
	words, err := splitWords(line)
	if err != nil {
		return Wrap{}, fmt.Errorf("wrap %q: %w", line, err)
	}
	if len(words) == 0 {
		return Wrap{}, errors.New("wrap: the command line is empty")
	}
	w := Wrap{Name: words[0], Claims: DefaultClaims()}
	for _, word := range words {
		w.Line = append(w.Line, []string{word})
	}
	return w, w.Check()
}

// DefaultClaims are the guarantees that a tool is taken to promise where nothing
// says what it promises: all but net.allowlist and events.denials.
func DefaultClaims() []guarantee.ID {
	var ids []guarantee.ID
	for _, i := range guarantee.All() {
		if i.ID != guarantee.NetAllowlist && i.ID != guarantee.DenialsReported {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// placeholders are the values of a Spec by the name of their placeholder.
func placeholders(s Spec, helper string) map[string][]string {
	values := map[string][]string{"{workspace}": {s.Workspace}, "{write}": s.Write, "{hide}": s.Hide, "{protect}": s.Protect,
		"{hide-dir}": nil, "{hide-file}": nil, "{helper}": {helper}, "{timeout}": nil, "{memory}": nil, "{processes}": nil}
	for _, path := range s.Hide {
		kind := "{hide-file}"
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			kind = "{hide-dir}"
		}
		values[kind] = append(values[kind], path)
	}
	if s.Timeout > 0 {
		values["{timeout}"] = []string{number(int64((s.Timeout + time.Second - 1) / time.Second))}
	}
	if s.Memory > 0 {
		values["{memory}"] = []string{number(s.Memory)}
	}
	if s.Processes > 0 {
		values["{processes}"] = []string{number(int64(s.Processes))}
	}
	return values
}

// Check refuses groups that hold two lists, and what looks like a placeholder
// and is none: small letters in braces, anywhere in a word.
func (w Wrap) Check() error {
	if len(w.Line) == 0 || len(w.Line[0]) == 0 {
		return errors.New("the command line is empty")
	}
	known := placeholders(Spec{}, "")
	shaped := regexp.MustCompile(`\{[a-z-]+\}`)
	for _, group := range w.Line {
		var held []string
		for name := range known {
			if slices.ContainsFunc(group, func(word string) bool { return strings.Contains(word, name) }) {
				held = append(held, name)
			}
		}
		if len(held) > 1 {
			slices.Sort(held)
			return fmt.Errorf("wrap %s: %s stand in one argument: they cannot be repeated together", w.Name, strings.Join(held, " and "))
		}
		for _, word := range group {
			for _, name := range shaped.FindAllString(word, -1) {
				if !slices.Contains(names(known), name) {
					return fmt.Errorf("wrap %s: no placeholder is called %s; they are %s", w.Name, name, strings.Join(names(known), " "))
				}
			}
		}
	}
	return nil
}

func names(m map[string][]string) []string {
	var all []string
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// expand is the tool's command line for a Spec.
func (w Wrap) expand(s Spec, helper string) []string {
	values := placeholders(s, helper)
	var line []string
	for _, group := range w.Line {
		held := ""
		for name := range values {
			if slices.ContainsFunc(group, func(word string) bool { return strings.Contains(word, name) }) {
				held = name
			}
		}
		if held == "" {
			line = append(line, group...)
			continue
		}
		for _, v := range values[held] {
			for _, word := range group {
				line = append(line, strings.ReplaceAll(word, held, v))
			}
		}
	}
	return line
}

// Info asks the tool for its version, for two seconds at the most.
func (w Wrap) Info(ctx context.Context) (Info, error) {
	info := Info{Name: w.Name, Kind: "wrap", Notes: w.Notes}
	if len(w.Line) == 0 || len(w.Line[0]) == 0 {
		return info, errors.New("the wrap has no command line")
	}
	if _, err := exec.LookPath(w.Line[0][0]); err != nil {
		return info, fmt.Errorf("the tool is not there: %w", err)
	}
	if len(w.Version) > 0 {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, w.Version[0], w.Version[1:]...)
		cmd.WaitDelay = time.Second
		out, _ := cmd.Output()
		info.Version = oneLine(string(out[:min(len(out), 200)]))
	}
	return info, nil
}

// Open makes nothing: the tool is started with the command.
func (w Wrap) Open(_ context.Context, s Spec) (Sandbox, error) {
	claims := guarantee.Set{}
	for _, id := range w.Claims {
		claims[id] = guarantee.Claim{}
	}
	return commandSandbox{spec: s, claims: claims, prefix: func(args []string) ([]string, error) {
		return append(w.expand(s, dirOf(args[0])), args...), nil
	}}, nil
}
