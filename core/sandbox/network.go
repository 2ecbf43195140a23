// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/hostrule"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// egressStep returns the plan's step egress, if it has one.
func (p *Prepared) egressStep() (plan.Egress, bool) {
	for _, step := range p.Plan.Steps {
		if e, ok := step.(plan.Egress); ok {
			return e, true
		}
	}
	return plan.Egress{}, false
}

// serve begins to pass on what the step egress of the plan says, until the
// sandbox is closed.
func (s *Sandbox) serve() error {
	step, ok := s.prepared.egressStep()
	if !ok {
		return nil
	}
	config, err := s.prepared.egressConfig()
	if err != nil {
		return err
	}
	config.Decided = s.decided
	published, err := listenLocal(step.Publish)
	if err != nil {
		return err
	}
	s.egress = egress.New(config)
	for _, l := range s.box.Listeners() {
		addr, _ := l.Addr().(*net.TCPAddr)
		switch {
		case addr == nil:
		case addr.Port == step.Proxy:
			s.egress.Serve(l)
		case slices.Contains(step.Loopback, addr.Port):
			s.relayOut(l, addr)
		}
	}
	for _, l := range published {
		port := l.Addr().(*net.TCPAddr).Port
		s.egress.Relay(l, func(ctx context.Context) (net.Conn, error) { return s.box.DialInside(ctx, port) }, nil)
	}
	return nil
}

// egressConfig is what the policy says to the proxy.
func (p *Prepared) egressConfig() (egress.Config, error) {
	upstream, err := egress.NewUpstream(p.environ())
	if err != nil && p.Resolved.Network().Mode == policy.Allowlist {
		return egress.Config{}, err
	}
	list, err := hosts(p.Resolved.Network())
	if err != nil {
		return egress.Config{}, err
	}
	local, err := hosts(policy.Network{Allow: asked(p.Resolved.Network().Loopback)})
	if err != nil {
		return egress.Config{}, err
	}
	list.Allow = append(list.Allow, local.Allow...)
	return egress.Config{
		List: list, Origin: p.originOf, Final: p.Resolved.Final("network.allow"),
		Upstream: upstream,
	}, nil
}

// asked are the granted ports of the host's loopback as rules: a program that
// asks the proxy for one, or for a listed name that leads there, is granted it.
func asked(ports []int) []string {
	var rules []string
	for _, port := range ports {
		for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
			rules = append(rules, net.JoinHostPort(host, strconv.Itoa(port)))
		}
	}
	return rules
}

// hosts reads the lists of a policy, which checked them when it was resolved.
func hosts(n policy.Network) (hostrule.List, error) {
	var list hostrule.List
	for _, half := range []struct {
		texts []string
		rules *[]hostrule.Rule
	}{{n.Allow, &list.Allow}, {n.Deny, &list.Deny}} {
		for _, text := range half.texts {
			r, err := hostrule.ParseRule(text)
			if err != nil {
				return hostrule.List{}, diag.New(diag.PolicyInvalid, diag.Quote(text)+" "+err.Error(), "")
			}
			*half.rules = append(*half.rules, r)
		}
	}
	return list, nil
}

// originOf says where a rule for hosts was written.
func (p *Prepared) originOf(r hostrule.Rule) string {
	_, port, _ := net.SplitHostPort(r.String()) // of a rule that asked adds
	for _, at := range [][2]string{{"network.deny", r.String()}, {"network.allow", r.String()}, {"network.loopback", port}} {
		if o := p.settingOrigin(at[0], at[1]); o.File != "" {
			return o.String()
		}
	}
	return ""
}

// relayOut passes connections at a port inside on to the same port of the
// host's loopback: of the same family first, and of the other, as for a server
// that listens on one of them.
func (s *Sandbox) relayOut(l net.Listener, addr *net.TCPAddr) {
	families := []string{"127.0.0.1", "::1"}
	if addr.IP.To4() == nil {
		families = []string{"::1", "127.0.0.1"}
	}
	port := strconv.Itoa(addr.Port)
	dial := func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(families[0], port))
		if err != nil {
			var other error
			if c, other = d.DialContext(ctx, "tcp", net.JoinHostPort(families[1], port)); other == nil {
				return c, nil
			}
		}
		return c, err
	}
	s.egress.Relay(l, dial, func(err error) {
		s.decided(egress.Relayed(families[0], addr.Port, err))
	})
}

// noFamily reports whether an address could not be listened at since the host
// has none of its family.
func noFamily(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// listenLocal listens on ports of the host's loopback, of both families where
// the host has both.
func listenLocal(ports []int) ([]net.Listener, error) {
	var list []net.Listener
	for _, port := range ports {
		for _, host := range []string{"127.0.0.1", "::1"} {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			if err == nil {
				list = append(list, l)
				continue
			}
			if host == "::1" && noFamily(err) {
				continue
			}
			for _, l := range list {
				l.Close()
			}
			return nil, diag.New(diag.LaunchFailed, fmt.Sprintf("port %d cannot be published on the host's loopback: %v", port, errors.Unwrap(err)), "end what listens there, or publish another port")
		}
	}
	return list, nil
}
