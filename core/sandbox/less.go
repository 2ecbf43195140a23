// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"path/filepath"

	"github.com/caisson-sandbox/caisson/core/audit"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Less is what one command had less than its sandbox, and what it started: real,
// absolute paths, as seen inside. It was held, or the command was not started.
type Less struct {
	// Guarantees are those that spoke of more for the command than for the others.
	Guarantees []guarantee.ID `json:"guarantees"`
	ReadOnly   []string       `json:"read_only"` // directories that others may write
	Protect    []string       `json:"protect"`
	Hide       []string       `json:"hide"`
}

// lessOf is the record of what was held, nil where nothing was taken away.
func lessOf(l launch.Less) *Less {
	kept := func(list []string) []string { return append([]string{}, list...) }
	out := &Less{[]guarantee.ID{}, kept(l.ReadOnly), kept(l.Protect), kept(l.Hide)}
	for _, g := range []struct {
		id    guarantee.ID
		paths []string
	}{{guarantee.WriteConfined, l.ReadOnly}, {guarantee.WriteProtected, l.Protect}, {guarantee.ReadHidden, l.Hide}} {
		if len(g.paths) > 0 {
			out.Guarantees = append(out.Guarantees, g.id)
		}
	}
	if len(out.Guarantees) == 0 {
		return nil
	}
	return out
}

// less is what the command is to have less than its sandbox.
func (c *Cmd) less(dir string) launch.Less {
	var l launch.Less
	if c.ReadOnly {
		l.ReadOnly = c.sandbox.prepared.writable()
	}
	for _, name := range c.Protect {
		l.Protect = append(l.Protect, realParent(dir, name))
	}
	for _, name := range c.Hide {
		l.Hide = append(l.Hide, realParent(dir, name))
	}
	return l
}

// noted is l as audit files have it.
func (l *Less) noted() *audit.Less {
	if l == nil {
		return nil
	}
	out := &audit.Less{}
	for _, id := range l.Guarantees {
		out.Guarantees = append(out.Guarantees, string(id))
	}
	some := func(list []string) []string {
		few := list[:min(len(list), maxAudited)]
		out.More += len(list) - len(few)
		texts := make([]string, len(few))
		for i, name := range few {
			texts[i] = audit.Text(name)
		}
		return texts
	}
	out.ReadOnly, out.Protect, out.Hide = some(l.ReadOnly), some(l.Protect), some(l.Hide)
	return out
}

// writable lists what the plan mounts for writing, but for temporary
// directories and caches. Where it mounts nothing that is the workspace, which the
// launch will not be able to take away.
func (p *Prepared) writable() []string {
	if len(p.Plan.Steps) == 0 || p.Plan.Steps[0].Name() != (plan.Namespaces{}).Name() {
		return p.Resolved.Workspace()
	}
	system := pathspec.OS(p.Resolved.OS())
	var list []string
	for _, step := range p.Plan.Steps {
		b, ok := step.(plan.Bind)
		if !ok || b.Access != "write" || b.Role == "pin" || b.Source != "" {
			continue
		}
		kept := func(dir string) bool { return dir != "" && system.Within(dir, b.Path) }
		if !kept(p.Resolved.Tmp()) && !kept(p.Resolved.CacheDir()) {
			list = append(list, b.Path)
		}
	}
	return list
}

// realParent makes a path absolute and resolves what leads to it as the host
// does. Where that fails the launch will say what is wrong.
func realParent(dir, name string) string {
	if name == "" {
		return ""
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	name = filepath.Clean(name)
	if parent, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
		name = filepath.Join(parent, filepath.Base(name))
	}
	return name
}
