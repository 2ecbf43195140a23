// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// windowsJSON is a plan for Windows: the common head, and the fields of
// Windows beside it.
type windowsJSON struct {
	Format  int               `json:"format"`
	Backend string            `json:"backend"`
	OS      string            `json:"os"`
	Arch    string            `json:"arch"`
	Claims  guarantee.Set     `json:"claims"`
	Unmet   []Unmet           `json:"unmet,omitempty"`
	Env     windowsEnv        `json:"env"`
	Notes   []diag.Diagnostic `json:"notes,omitempty"`
}

func encodeWindows(p *Plan) ([]byte, error) {
	env := windowsEnv{Base: p.Windows.EnvBase, Set: map[string]string{}, Drop: []string{}}
	for _, e := range p.Env {
		if e.Unset {
			env.Drop = append(env.Drop, e.Name)
		} else {
			env.Set[e.Name] = e.Value
		}
	}
	head, err := strict.Canonical(windowsJSON{p.Format, p.Backend, p.OS, p.Arch, p.Claims, p.Unmet, env, p.Notes})
	if err != nil {
		return nil, err
	}
	body, err := strict.Canonical(p.Windows)
	if err != nil {
		return nil, err
	}
	return append(append(head[:len(head)-1], ','), body[1:]...), nil
}

// decodeWindows shares the keys of the object out to head and body; a key that
// neither knows is refused by the body.
func decodeWindows(node *strict.Node) (*Plan, error) {
	head := []string{"format", "backend", "os", "arch", "claims", "unmet", "env", "notes"}
	outer, inner := node, node
	for _, m := range node.Members {
		if slices.Contains(head, m.Key) {
			inner = inner.Without(m.Key)
		} else {
			outer = outer.Without(m.Key)
		}
	}
	var h windowsJSON
	w := &Windows{}
	if err := strict.Decode(outer, &h); err != nil {
		return nil, err
	}
	if err := strict.Decode(inner, w); err != nil {
		return nil, err
	}
	w.EnvBase = h.Env.Base
	p := &Plan{Format: h.Format, Backend: h.Backend, OS: h.OS, Arch: h.Arch, Claims: h.Claims, Unmet: h.Unmet, Notes: h.Notes, Windows: w}
	for _, name := range slices.Sorted(maps.Keys(h.Env.Set)) {
		p.Env = append(p.Env, EnvEdit{Name: name, Value: h.Env.Set[name]})
	}
	for _, name := range h.Env.Drop {
		if _, both := h.Env.Set[name]; both {
			return nil, invalid("the variable %q is both set and dropped", name)
		}
		p.Env = append(p.Env, EnvEdit{Name: name, Unset: true})
	}
	slices.SortFunc(p.Env, func(a, b EnvEdit) int { return cmp.Compare(a.Name, b.Name) })
	return p, p.Validate()
}
