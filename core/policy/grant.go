// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// withGrant widens p by one grant, as the flag of the grant does. The order of
// grants never matters, but for two values of one variable, where the last one
// stands. A grant that no policy holds (fd), or whose port is none, changes
// nothing; other malformed values are refused when the policy is resolved.
func (p Policy) withGrant(g diag.Grant) Policy {
	setting := grantSetting(g)
	if setting == "" {
		return p
	}
	flag := diag.NewGrant(g.Kind, g.Value).Args[0]
	out := p
	if err := out.put(flag, setting, g.Value); err != nil {
		return p
	}
	if g.Kind == diag.GrantHost && (p.Network.Mode == "" || p.Network.Mode == Offline) {
		if err := out.put(flag, "network.mode", string(Allowlist)); err != nil {
			return p
		}
	}
	return out
}

// grantSetting names the setting that a grant widens, or "".
func grantSetting(g diag.Grant) string {
	switch g.Kind {
	case diag.GrantWrite:
		return "files.write"
	case diag.GrantShow:
		return "files.show"
	case diag.GrantUnprotect:
		return "files.unprotect"
	case diag.GrantHost:
		return "network.allow"
	case diag.GrantLoopback:
		return "network.loopback"
	case diag.GrantPublish:
		return "network.publish"
	case diag.GrantUnix:
		return "network.unix"
	case diag.GrantEnv:
		if strings.Contains(g.Value, "=") {
			return "env.set"
		}
		return "env.pass"
	case diag.GrantWeaker:
		return "allow-weaker"
	}
	return ""
}

// WithFlag returns the policy with one value of a setting, as a flag of the
// command line gives it: "--memory" sets "limits.memory" to "4GiB". Lists grow
// by the value; other settings are replaced. The value is read as a file's
// would be; a mistake is a *diag.Diagnostic that names the flag.
func (p Policy) WithFlag(flag, name, value string) (Policy, error) {
	s, ok := settingNamed(name)
	if !ok || name == "final" {
		return p, diag.New(diag.UsageInvalid, flag+": no flag sets "+name, "")
	}
	out := p
	message, remedy := checkValue(s, value)
	if message == "" {
		if err := out.put(flag, name, value); err != nil {
			message = err.Error()
			if m, ok := errors.AsType[malformed](err); ok {
				remedy = m.remedy
			}
		}
	}
	if message != "" {
		return p, diag.New(diag.UsageInvalid, flag+": "+message, remedy)
	}
	return out, nil
}

// mark notes that a flag said something.
func (p *Policy) mark(m mark) {
	if n := len(p.layers); n > 0 && p.layers[n-1].kind == LayerFlag {
		last := p.layers[n-1]
		if slices.Contains(last.said, m) {
			return
		}
		last.said = append(slices.Clip(last.said), m)
		p.layers = append(slices.Clone(p.layers[:n-1]), last)
		return
	}
	p.layers = append(slices.Clip(p.layers), layer{kind: LayerFlag, dir: hereDir, said: []mark{m}})
}

// added returns list with v in it, without changing what list shares its
// memory with.
func added[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(slices.Clip(list), v)
}
