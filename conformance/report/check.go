// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"maps"
	"slices"
)

// check reports what a report that was read cannot be.
func (r *Report) check() error {
	switch {
	case !slices.Contains(kinds(), r.Target.Kind):
		return fmt.Errorf("target.kind is %q; it is one of %q", r.Target.Kind, kinds())
	case r.Target.Name == "":
		return fmt.Errorf("target.name is empty")
	case !slices.Contains(users(), r.Host.User):
		return fmt.Errorf("host.user is %q; it is one of %q", r.Host.User, users())
	case r.Host.OS == "" || r.Host.Arch == "":
		return fmt.Errorf("host.os or host.arch is empty")
	case r.Host.CPUs < 1:
		return fmt.Errorf("host.cpus is %d", r.Host.CPUs)
	case r.Elapsed < 0:
		return fmt.Errorf("elapsed_ms is %d", r.Elapsed)
	}
	for id := range r.Claims {
		if !isID(string(id)) {
			return fmt.Errorf("claims: %q is no id", id)
		}
	}
	seen := map[string]bool{}
	for i, one := range r.Results {
		if err := one.check(); err != nil {
			return fmt.Errorf("results[%d].%w", i, err)
		}
		if seen[one.ID] {
			return fmt.Errorf("results[%d].id: %s is there twice", i, one.ID)
		}
		seen[one.ID] = true
	}
	judged := *r
	judged.Judge()
	switch {
	case !maps.Equal(judged.Counts, r.Counts):
		return fmt.Errorf("counts is not what the results add up to")
	case judged.Conformant != r.Conformant:
		return fmt.Errorf("conformant is %t, and by its results the target is not so", r.Conformant)
	}
	return nil
}

func (r Result) check() error {
	switch {
	case !isID(r.ID):
		return fmt.Errorf("id: %q is no id", r.ID)
	case r.Guarantee != "" && !isID(string(r.Guarantee)):
		return fmt.Errorf("guarantee: %q is no id", r.Guarantee)
	case !slices.Contains(requirements(), r.Requirement):
		return fmt.Errorf("requirement is %q; it is one of %q", r.Requirement, requirements())
	case !slices.Contains(Verdicts(), r.Verdict):
		return fmt.Errorf("verdict is %q; it is one of %q", r.Verdict, Verdicts())
	case r.MS < 0:
		return fmt.Errorf("ms is %d", r.MS)
	}
	return nil
}

func kinds() []string        { return []string{"backend", "wrap"} }
func users() []string        { return []string{"root", "user"} }
func requirements() []string { return []string{"must", "should", "may"} }

// isID reports whether s has the form of the ids of cases and guarantees: lower
// case letters, digits, points and hyphens, a letter or digit first.
func isID(s string) bool {
	for i, c := range []byte(s) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || c != '.' && c != '-') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
