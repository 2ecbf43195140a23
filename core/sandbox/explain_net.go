// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"net"
	"slices"
	"strconv"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/hostrule"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// explainNet says whether HOST:PORT can be reached. Names are not resolved: a
// listed one may still have an address that is refused.
func (p *Prepared) explainNet(target, address string) (Explanation, error) {
	host, port, err := hostrule.ParseTarget(address)
	if err != nil {
		return Explanation{}, diag.New(diag.UsageInvalid, diag.Quote(target)+" is no net:HOST:PORT: "+err.Error(), "write for example net:example.org:443")
	}
	n := p.Resolved.Network()
	reach := n.Mode == policy.Online
	e := Explanation{Target: target, Reach: &reach, Rule: policy.RuleRef{Access: string(n.Mode), Origin: p.settingOrigin("network.mode", string(n.Mode))}}
	switch {
	case reach:
		e.Remedy = "the network is the host's as it is, its loopback included"
	case host.Local() && slices.Contains(n.Loopback, port):
		reach = true
		e.Rule.Path, e.Rule.Origin = strconv.Itoa(port), p.settingOrigin("network.loopback", strconv.Itoa(port))
	case host.Local():
		e.Remedy = "the sandbox has a loopback of its own: servers inside are reached there, those of the host are not"
		p.allowWith(&e, "network.loopback", diag.GrantLoopback, strconv.Itoa(port))
	case n.Mode == policy.Allowlist:
		return e, p.explainListed(&e, host, port)
	default:
		e.Remedy = "commands are offline"
		p.allowHost(&e, host, port)
	}
	return e, nil
}

// explainListed asks the list of the policy.
func (p *Prepared) explainListed(e *Explanation, host hostrule.Host, port int) error {
	list, err := hosts(p.Resolved.Network())
	if err != nil {
		return err
	}
	a := list.Host(host, port)
	*e.Reach = a.OK()
	if a.Rule != nil {
		e.Rule.Path = a.Rule.String()
		e.Rule.Origin = p.settingOrigin("network.allow", e.Rule.Path)
		if !a.OK() {
			e.Rule.Origin = p.settingOrigin("network.deny", e.Rule.Path)
		}
	}
	e.Remedy = a.Reason
	if !a.OK() && a.Rule == nil {
		p.allowHost(e, host, port)
	}
	return nil
}

// allowHost adds the grant for a host, but for a metadata service.
func (p *Prepared) allowHost(e *Explanation, host hostrule.Host, port int) {
	if host.Metadata() {
		e.Remedy += "; " + hostrule.NoGrant
		return
	}
	p.allowWith(e, "network.allow", diag.GrantHost, net.JoinHostPort(host.String(), strconv.Itoa(port)))
}

// allowWith adds the grant that would allow a target, or why there is none.
func (p *Prepared) allowWith(e *Explanation, setting string, kind diag.GrantKind, value string) {
	for _, s := range []string{setting, "network.mode"} {
		if p.Resolved.Final(s) && (s == setting || kind == diag.GrantHost && p.Resolved.Network().Mode == policy.Offline) {
			e.Remedy += "; the system policy makes " + s + " final"
			return
		}
	}
	g := diag.NewGrant(kind, value)
	e.Grant = &g
	e.Remedy += "; allow it with " + g.Flags()
}

// settingOrigin says where a value of a setting was written.
func (p *Prepared) settingOrigin(setting, value string) policy.Origin {
	for _, s := range p.merged.Settings() {
		if s.Name == setting && s.Value == value {
			return s.Origin
		}
	}
	return policy.Origin{}
}
