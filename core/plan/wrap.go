// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/base64"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// Wrap has every command executed by other programs that confine it: each
// executes the words that follow its own arguments, the last one what the
// launcher appends, which proves that the confinement holds and then becomes
// the command. It takes the place of the steps of the launcher's own sandbox;
// of those only hold, watch, broker and seccomp may stand beside it. What it
// appends installs the filter of seccomp, and the launcher answers the calls that
// the filter has answered, which needs a network of the sandbox's own.
//
// Each command gets wrappers of its own, with an empty environment and the
// command's streams. They must pass on the descriptors that they were started
// with, keep none open in a process that outlives the start, and end when the
// command does, with its exit status, and all that it started with it.
type Wrap struct {
	// Programs are the wrappers, the outermost first.
	Programs []Program `json:"programs"`
	// Files are what the wrappers read, by descriptor or path.
	Files []File `json:"files,omitempty"`
}

// Program is one wrapper. An argument that is a symbol as a whole stands for
// what the launcher makes:
//
//	{fd:NAME}    the number of a descriptor that reads the file NAME
//	{file:NAME}  a path of the file NAME
//	{tmp}        a new directory of the sandbox alone, with mode 0700, that
//	             goes with it; something may follow, as in {tmp}/x
type Program struct {
	Path string   `json:"path"` // absolute
	Args []string `json:"args,omitempty"`
	// SHA256 is the hash that the file must have when it is executed, in
	// hexadecimal. It is the host's to fill in, for what is no part of the
	// operating system; a backend leaves it empty.
	SHA256 string `json:"sha256,omitempty"`
}

// File is the content of a file: text, or bytes in standard base64.
type File struct {
	Name   string `json:"name"`
	Text   string `json:"text,omitempty"`
	Base64 string `json:"base64,omitempty"`
}

// Content returns the bytes of the file.
func (f File) Content() ([]byte, error) {
	if f.Base64 != "" {
		return base64.StdEncoding.DecodeString(f.Base64)
	}
	return []byte(f.Text), nil
}

// Name is the step's name.
func (Wrap) Name() string { return "wrap" }

// Wrapped returns the wrap step of a plan, and whether there is one.
func (p *Plan) Wrapped() (Wrap, bool) {
	for _, s := range p.Steps {
		if w, ok := s.(Wrap); ok {
			return w, true
		}
	}
	return Wrap{}, false
}

// TmpSymbol is the symbol of the sandbox's own directory.
const TmpSymbol = "{tmp}"

// Symbol takes an argument that is a symbol apart: kind "fd", "file" or "tmp",
// and the name of the file or what follows the directory. Kind is empty for
// any other argument.
func Symbol(arg string) (kind, name string) {
	if arg == TmpSymbol || strings.HasPrefix(arg, TmpSymbol+"/") {
		return "tmp", strings.TrimPrefix(arg, TmpSymbol)
	}
	for _, kind := range []string{"fd", "file"} {
		if name, ok := strings.CutPrefix(arg, "{"+kind+":"); ok && strings.HasSuffix(name, "}") {
			return kind, strings.TrimSuffix(name, "}")
		}
	}
	return "", arg
}

const (
	maxPrograms = 8
	maxArgs     = 20_000
	maxFiles    = 16
)

func checkWrap(st Wrap) error {
	if len(st.Programs) == 0 || len(st.Programs) > maxPrograms {
		return fmt.Errorf("%d programs", len(st.Programs))
	}
	if len(st.Files) > maxFiles {
		return fmt.Errorf("%d files", len(st.Files))
	}
	var names []string
	for _, f := range st.Files {
		plain := strings.Trim(f.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
		if f.Name == "" || !plain || len(f.Name) > 32 || slices.Contains(names, f.Name) {
			return fmt.Errorf("file %q", f.Name)
		}
		if f.Text != "" && f.Base64 != "" {
			return fmt.Errorf("file %q has two contents", f.Name)
		}
		if _, err := f.Content(); err != nil {
			return fmt.Errorf("file %q: %w", f.Name, err)
		}
		names = append(names, f.Name)
	}
	for _, p := range st.Programs {
		if err := belowRoot(p.Path); err != nil {
			return err
		}
		if p.SHA256 != "" && (len(p.SHA256) != 64 || strings.Trim(p.SHA256, "0123456789abcdef") != "") {
			return fmt.Errorf("hash %q of %q", p.SHA256, p.Path)
		}
		if len(p.Args) > maxArgs {
			return fmt.Errorf("%d arguments of %q", len(p.Args), p.Path)
		}
		for _, a := range p.Args {
			if strings.Contains(a, "\x00") {
				return fmt.Errorf("argument %q of %q", a, p.Path)
			}
			switch kind, name := Symbol(a); kind {
			case "fd", "file":
				if !slices.Contains(names, name) {
					return fmt.Errorf("argument %q of %q: there is no such file", a, p.Path)
				}
			case "tmp":
				if name != "" && path.Clean(name) != name {
					return fmt.Errorf("argument %q of %q leads out of the directory", a, p.Path)
				}
			}
		}
	}
	return nil
}

// checkBeside refuses steps that a wrapper takes the place of.
func (p *Plan) checkBeside() error {
	for i, s := range p.Steps {
		switch st := s.(type) {
		case Seccomp:
			if slices.ContainsFunc(st.Rules, func(r SeccompRule) bool { return r.Action == "observe" }) {
				return invalid("step %d, %s: calls cannot be observed beside wrap", i, s.Name()) // the execution of the command would wait
			}
		case Wrap, Hold, Watch, Broker:
		default:
			return invalid("step %d, %s, cannot stand beside wrap", i, s.Name())
		}
	}
	return nil
}

// explain writes the wrappers as command lines.
func (st Wrap) explain(out *tabwriter.Writer) {
	fmt.Fprintln(out, "each command is executed by:")
	for _, p := range st.Programs {
		_, _ = io.WriteString(out, "  "+diag.Quote(p.Path))
		for _, a := range p.Args {
			_, _ = io.WriteString(out, " "+diag.Quote(a))
		}
		fmt.Fprintln(out)
	}
}
