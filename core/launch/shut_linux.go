// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// A command can take from the owner of a writable directory, who is the caller,
// the right to search it. Nobody then reaches what is below by its name: neither
// the caller, to compare it with what it was, nor the commands, until one of
// them gives the right back.

// shut says whether an error of looking at a name is such a directory's.
func (w *watch) shut(name string, err error) bool {
	return err == unix.EACCES && below(w.roots, name)
}

// stands says whether the mount that protects a path is where it was. The kernel
// takes it off what is removed or renamed over, and shows it elsewhere when what
// is below it is renamed, so that the path need not be looked at. It is false
// where the mounts cannot be read.
func (w *watch) stands(g *guardedPath) bool {
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", w.sandbox.init))
	if err != nil {
		return false
	}
	return mountedOn(string(mounts), g.path)
}

// mountedOn says whether a text of proc_pid_mountinfo(5) has a mount on a path.
func mountedOn(mounts, name string) bool {
	name = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(name)
	for line := range strings.Lines(mounts) {
		if f := strings.Split(line, " "); len(f) > 4 && f[4] == name {
			return true
		}
	}
	return false
}

// guardedNames are the paths that are mounted on themselves.
func guardedNames(p *plan.Plan) []string {
	var names []string
	for _, step := range p.Steps {
		if b, ok := step.(plan.Bind); ok && (b.Role == "protect" || b.Role == "pin") {
			names = append(names, b.Path)
		}
	}
	return names
}
