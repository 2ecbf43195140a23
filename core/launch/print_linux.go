// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch/seccomp"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Try makes the sandbox of a plan, runs nothing in it and removes it. An error
// that names a step is a *StepError.
func Try(p *plan.Plan) error {
	s, err := openSandbox(context.Background(), p, Options{})
	if err != nil {
		return err
	}
	return s.Close()
}

// Syscalls prints the launch lists of a plan: that of process 1, and that of a
// command "CMD" with the standard descriptors.
func Syscalls(p *plan.Plan) (string, error) {
	s := &Sandbox{plan: p}
	if err := s.readSteps(); err != nil {
		return "", err
	}
	if step, ok := p.Wrapped(); ok {
		text, err := wrappedSyscalls(step, s.filter)
		return text + filterText(s.filter, p.Arch), err
	}
	if p.Fenced() {
		text, err := s.fencedSyscalls()
		return text + filterText(s.filter, p.Arch), err
	}
	first, err := setupProgram(p, callerIDs{os.Geteuid(), os.Getegid()}, "")
	if err != nil {
		return "", err
	}
	command, err := enterProgram(p, len(first.kinds), s.filter, spec{
		paths: []string{"CMD"}, argv: []string{"CMD"}, dir: "/", std: 3, terminal: -1, ownGroup: s.ownGroup,
	})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# process 1\n")
	first.print(&b, p.Steps)
	b.WriteString("\n# each command\n")
	command.print(&b, p.Steps)
	return b.String() + filterText(s.filter, p.Arch), nil
}

// fencedSyscalls prints the lists of a plan without namespaces: those of what
// stands around the commands, and that of a command.
func (s *Sandbox) fencedSyscalls() (string, error) {
	var rules plan.Landlock
	for _, step := range s.plan.Steps {
		if st, ok := step.(plan.Landlock); ok {
			rules = st
		}
	}
	nursery, err := nurseryProgram(s.plan, rules, "")
	if err != nil {
		return "", err
	}
	command, err := enterProgram(s.plan, 0, s.filter, spec{
		paths: []string{"CMD"}, argv: []string{"CMD"}, dir: "/", std: 3, terminal: -1, ownGroup: s.ownGroup, alone: true,
	})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# the process that kills what is inside when the caller is gone\n")
	enderProgram(0).print(&b, nil)
	b.WriteString("\n# the process that forks the commands\n")
	nursery.print(&b, s.plan.Steps)
	b.WriteString("\n# each command\n")
	command.print(&b, s.plan.Steps)
	return b.String(), nil
}

func filterText(filter []seccomp.Instruction, arch string) string {
	if filter == nil {
		return ""
	}
	return "\n# the filter of system calls\n" + seccomp.Format(filter, arch)
}

// print writes one line per entry: number, step, call, what it is for.
func (p *program) print(b *strings.Builder, steps []plan.Step) {
	for i, e := range p.entries {
		step := "-"
		if e.step >= 0 {
			step = steps[e.step].Name()
		}
		if e.nr == nrMark || e.nr == nrCopy {
			continue // bookkeeping of the list itself
		}
		fmt.Fprintf(b, "%4d %-14s %s", i, step, p.callText(e))
		switch {
		case e.flags&flagIgnore != 0:
			b.WriteString("  [may fail]")
		case e.flags&flagOnError != 0:
			fmt.Fprintf(b, "  [on error: %d]", e.jump)
		case e.jump != 0:
			fmt.Fprintf(b, "  [child: %d]", e.jump)
		}
		fmt.Fprintf(b, "  # %s\n", e.what)
	}
}

// callText prints the call. Strings are shown, other data as "&", results of
// earlier calls as "$".
func (p *program) callText(e entry) string {
	name := shapeOf(e.nr)
	args := make([]string, 0, name.args)
	for i, a := range e.args[:name.args] {
		switch {
		case a.kind == content:
			args = append(args, "$")
		case a.kind == address && strings.ContainsRune(name.strings, rune('0'+i)):
			args = append(args, diag.Quote(p.stringAt(int(a.value))))
		case a.kind == address:
			args = append(args, "&")
		default:
			args = append(args, fmt.Sprintf("%#x", a.value))
		}
	}
	if e.nr == nrCheck {
		return fmt.Sprintf("check(& & %#x == %#x)", e.args[1].value, e.args[2].value)
	}
	return name.name + "(" + strings.Join(args, ", ") + ")"
}

func (p *program) stringAt(at int) string {
	s, _, _ := strings.Cut(string(p.data[at:]), "\x00")
	return s
}
