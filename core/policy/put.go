// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// put sets a setting, or adds to one that is a list, from the text of a flag,
// and notes which flag it was. What p shares with other policies is left as it
// is.
func (p *Policy) put(flag, setting, text string) error {
	var err error
	switch setting {
	case "extends":
		p.Extends = text
	case "workspace":
		p.Workspace = added(p.Workspace, text)
	case "require":
		p.Require = added(p.Require, guarantee.ID(text))
	case "allow-weaker":
		p.AllowWeaker = added(p.AllowWeaker, guarantee.ID(text))
	case "files.write":
		p.Files.Write = added(p.Files.Write, text)
	case "files.protect":
		p.Files.Protect = added(p.Files.Protect, text)
	case "files.hide":
		p.Files.Hide = added(p.Files.Hide, text)
	case "files.show":
		p.Files.Show = added(p.Files.Show, text)
	case "files.unprotect":
		p.Files.Unprotect = added(p.Files.Unprotect, text)
	case "network.mode":
		p.Network.Mode = NetworkMode(text)
	case "network.allow":
		p.Network.Allow = added(p.Network.Allow, text)
	case "network.deny":
		p.Network.Deny = added(p.Network.Deny, text)
	case "network.loopback":
		p.Network.Loopback, text, err = addedPort(p.Network.Loopback, text)
	case "network.publish":
		p.Network.Publish, text, err = addedPort(p.Network.Publish, text)
	case "network.unix":
		p.Network.Unix = added(p.Network.Unix, text)
	case "env.inherit":
		p.Env.Inherit = text
	case "env.pass":
		p.Env.Pass = added(p.Env.Pass, text)
	case "env.set":
		name, value, _ := strings.Cut(text, "=")
		set := maps.Clone(p.Env.Set)
		if set == nil {
			set = map[string]string{}
		}
		set[name] = value
		p.Env.Set = set
	case "caches.mode":
		p.Caches.Mode = text
	case "audit":
		p.Audit = added(p.Audit, text)
	case "limits.time", "limits.memory", "limits.processes":
		if err = p.Limits.put(setting, text); err == nil {
			text = p.values(setting)[0]
		}
	default:
		err = fmt.Errorf("unknown setting %q", setting)
	}
	if err != nil {
		return err
	}
	p.mark(mark{setting: setting, value: text, flag: flag})
	return nil
}

// addedPort adds a port to a list, and returns it in its one form too.
func addedPort(list []int, text string) ([]int, string, error) {
	port, err := strconv.Atoi(text)
	if err != nil || !validPort(port) {
		return list, text, fmt.Errorf("%s is no port", text)
	}
	return added(list, port), strconv.Itoa(port), nil
}

// The forms of limits, as messages ask for them.
const (
	durationForm = `write it like "90s", "10m" or "1h30m"`
	sizeForm     = `write it like "512MiB" or "4GiB"`
)

// malformed is the error of a value, with what to write instead.
type malformed struct{ message, remedy string }

func (m malformed) Error() string { return m.message }

func (l *Limits) put(setting, text string) error {
	var err error
	positive := false
	kind, form := "number", "write it like 512"
	switch setting {
	case "limits.time":
		kind, form = "duration", durationForm
		l.Time, err = time.ParseDuration(text)
		positive = l.Time > 0
	case "limits.memory":
		kind, form = "size", sizeForm
		l.Memory, err = parseSize(text)
		positive = l.Memory > 0
	default:
		l.Processes, err = strconv.Atoi(text)
		positive = l.Processes > 0
	}
	if err != nil {
		return malformed{fmt.Sprintf("invalid %s %q", kind, text), form}
	}
	if !positive {
		return malformed{"must be more than 0", "leave it out for no limit"}
	}
	return nil
}
