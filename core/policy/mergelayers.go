// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"maps"
	"slices"
)

// mergeLayers returns low with high over it. A setting with one value is high's
// where high sets it; lists add up. The workspace is high's alone where high
// names one, since it answers where to work, unless high is a project.
func mergeLayers(low, high Policy, project bool) Policy {
	out := low
	out.Version = Version
	out.Extends = cmp.Or(high.Extends, low.Extends)
	if len(high.Workspace) > 0 {
		if project {
			out.Workspace = union(low.Workspace, high.Workspace)
		} else {
			out.Workspace = high.Workspace
		}
	}
	out.Require = union(low.Require, high.Require)
	out.AllowWeaker = union(low.AllowWeaker, high.AllowWeaker)
	out.Files = Files{
		Write:     union(low.Files.Write, high.Files.Write),
		Protect:   union(low.Files.Protect, high.Files.Protect),
		Hide:      union(low.Files.Hide, high.Files.Hide),
		Show:      union(low.Files.Show, high.Files.Show),
		Unprotect: union(low.Files.Unprotect, high.Files.Unprotect),
	}
	out.Network = Network{
		Mode:     cmp.Or(high.Network.Mode, low.Network.Mode),
		Allow:    union(low.Network.Allow, high.Network.Allow),
		Deny:     union(low.Network.Deny, high.Network.Deny),
		Loopback: union(low.Network.Loopback, high.Network.Loopback),
		Publish:  union(low.Network.Publish, high.Network.Publish),
		Unix:     union(low.Network.Unix, high.Network.Unix),
	}
	out.Env = Env{
		Inherit: cmp.Or(high.Env.Inherit, low.Env.Inherit),
		Pass:    union(low.Env.Pass, high.Env.Pass),
		Set:     low.Env.Set,
	}
	if len(high.Env.Set) > 0 {
		out.Env.Set = map[string]string{}
		maps.Copy(out.Env.Set, low.Env.Set)
		maps.Copy(out.Env.Set, high.Env.Set)
	}
	out.Caches.Mode = cmp.Or(high.Caches.Mode, low.Caches.Mode)
	out.Limits = Limits{
		Time:      cmp.Or(high.Limits.Time, low.Limits.Time),
		Memory:    cmp.Or(high.Limits.Memory, low.Limits.Memory),
		Processes: cmp.Or(high.Limits.Processes, low.Limits.Processes),
	}
	out.Audit = union(low.Audit, high.Audit)
	out.Final = union(low.Final, high.Final)
	out.Tmp = cmp.Or(high.Tmp, low.Tmp)
	out.WorkspaceAnyway = low.WorkspaceAnyway || high.WorkspaceAnyway
	out.layers = slices.Concat(low.layers, high.layers)
	out.read = union(low.read, high.read)
	return out
}

// union returns the values of a, then those of b that a lacks, in new memory.
func union[T comparable](a, b []T) []T {
	if len(a)+len(b) == 0 {
		return nil
	}
	seen := make(map[T]bool, len(a)+len(b))
	out := make([]T, 0, len(a)+len(b))
	for _, v := range slices.Concat(a, b) {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
