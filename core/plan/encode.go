// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
)

// steps returns one value of every step, the closed set.
func steps() []Step {
	return []Step{
		Namespaces{}, ReadOnlyRoot{}, Scratch{}, Private{}, Devices{}, Link{}, Bind{}, Cover{}, MountPoint{}, Proc{},
		Hold{}, Watch{}, Limits{}, Privileges{}, Landlock{}, Seccomp{}, ProcessGroup{}, Broker{}, Metadata{}, Egress{},
		TempDir{}, Seatbelt{},
		Wrap{},
	}
}

// planJSON is a Plan whose steps are tagged objects: {"step":"bind",…}.
type planJSON struct {
	Format  int               `json:"format"`
	Backend string            `json:"backend"`
	OS      string            `json:"os"`
	Arch    string            `json:"arch"`
	Claims  guarantee.Set     `json:"claims"`
	Unmet   []Unmet           `json:"unmet,omitempty"`
	Steps   []json.RawMessage `json:"steps"`
	Env     []EnvEdit         `json:"env,omitempty"`
	Notes   []diag.Diagnostic `json:"notes,omitempty"`
}

// Encode returns the canonical JSON of a plan: equal plans give equal bytes. A
// path that is not valid UTF-8 is an error: JSON would change it.
func Encode(p *Plan) ([]byte, error) {
	if p.Windows != nil {
		return encodeWindows(p)
	}
	out := planJSON{p.Format, p.Backend, p.OS, p.Arch, p.Claims, p.Unmet, nil, p.Env, p.Notes}
	for _, s := range p.Steps {
		body, err := strict.Canonical(s)
		if err != nil {
			return nil, fmt.Errorf("encode step %s: %w", s.Name(), err)
		}
		tag := `{"step":"` + s.Name() + `"`
		if len(body) > 2 {
			tag += ","
		}
		out.Steps = append(out.Steps, append([]byte(tag), body[1:]...))
	}
	text, err := strict.Canonical(out)
	if err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	return text, nil
}

// Digest is the SHA-256 of the canonical JSON, in hexadecimal.
func Digest(p *Plan) (string, error) {
	text, err := Encode(p)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Decode reads the JSON of a plan. An unknown step, field or format is a
// *diag.Diagnostic with code plan-invalid: a restriction that is not
// understood must not be dropped.
func Decode(text []byte) (*Plan, error) {
	node, err := strict.JSON("plan", text, diag.PlanInvalid)
	if err != nil {
		return nil, err
	}
	if os := node.Member("os"); os != nil && os.Kind == strict.String && os.Text == "windows" && node.Member("steps") == nil {
		return decodeWindows(node)
	}
	p := &Plan{}
	if err := strict.Decode(node.Without("steps"), p); err != nil {
		return nil, err
	}
	list := node.Member("steps")
	if list == nil || list.Kind != strict.List {
		return nil, node.Refuse("the plan has no list of steps", "")
	}
	p.Steps = nil
	for _, n := range list.List {
		s, err := decodeStep(n)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, s)
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

func decodeStep(n *strict.Node) (Step, error) {
	tag := n.Member("step")
	if tag == nil || tag.Kind != strict.String {
		return nil, n.Refuse(`a step needs a name in "step"`, "")
	}
	for _, s := range steps() {
		if s.Name() != tag.Text {
			continue
		}
		v := reflect.New(reflect.TypeOf(s))
		if err := strict.Decode(n.Without("step"), v.Interface()); err != nil {
			return nil, err
		}
		return v.Elem().Interface().(Step), nil
	}
	return nil, tag.Refuse(fmt.Sprintf("unknown step %q", tag.Text), "the plan may be for a newer caisson")
}
