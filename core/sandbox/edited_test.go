// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// TestEdited: the plan's changes come one after the other, after what is there, and
// what was given is not changed.
func TestEdited(t *testing.T) {
	t.Parallel()
	s := &Sandbox{prepared: &Prepared{Plan: &plan.Plan{Env: []plan.EnvEdit{
		{Name: "A", Value: "new"}, {Name: "B", Unset: true}, {Name: "C", Value: "1"}, {Name: "C", Value: "2"},
		{Name: "D", Value: "x"}, {Name: "D", Unset: true}, {Name: "E", Unset: true}, {Name: "E", Value: "back"},
	}}}, outsideEnv: []plan.EnvEdit{{Name: "A", Value: "last"}}}
	given := []string{"A=old", "AA=kept", "B=gone", "B=twice", "D=d", "plain", "A", "Z="}
	before := append([]string{}, given...)
	want := []string{"AA=kept", "plain", "A", "Z=", "C=2", "E=back", "A=last"}
	if diff := cmp.Diff(want, s.edited(given)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, given); diff != "" {
		t.Errorf("what was given was changed: %s", diff)
	}
}

// BenchmarkEdited measures what each command pays for its environment.
func BenchmarkEdited(b *testing.B) {
	var env []string
	var edits []plan.EnvEdit
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		env = append(env, "NAME_"+string(c)+"=value", "OTHER_"+string(c)+"=value")
		edits = append(edits, plan.EnvEdit{Name: "NAME_" + string(c), Value: "new"})
	}
	s := &Sandbox{prepared: &Prepared{Plan: &plan.Plan{Env: edits[:16]}}}
	for b.Loop() {
		s.edited(env)
	}
}
