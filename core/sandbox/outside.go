// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/egress"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// proxyOutside reports whether the plan has commands reach the proxy at a port of
// the host's loopback, as where a sandbox has none of its own.
func (p *Prepared) proxyOutside() bool { return p.proxyAnywhere() || p.Plan.Windows.ToProxy() }

// proxyAnywhere reports whether that may be any port, as on macOS. On Windows it
// is the one that setup gave the account, which the launcher learns late.
func (p *Prepared) proxyAnywhere() bool {
	for _, step := range p.Plan.Steps {
		if st, ok := step.(plan.Seatbelt); ok {
			return st.Network == "proxy"
		}
	}
	return false
}

// serveOutside begins to serve the proxy at a free port of the host's loopback
// where the plan says so, and returns the port, 0 where it does not.
func (s *Sandbox) serveOutside() (port int, err error) {
	if !s.prepared.proxyAnywhere() {
		return 0, nil
	}
	return s.serveList(listenFree)
}

// serveAt begins to serve the proxy at a port of 127.0.0.1, which nobody else may
// have.
func (s *Sandbox) serveAt(port int) error {
	_, err := s.serveList(func() ([]net.Listener, int, error) {
		l, err := listenAlone(port)
		return []net.Listener{l}, port, err
	})
	return err
}

// serveList begins to serve the list of the policy where listen says. Everybody on
// the host can connect there, so the proxy asks for a password, which is new for
// each sandbox and is told its commands alone, by their environment.
func (s *Sandbox) serveList(listen func() ([]net.Listener, int, error)) (port int, err error) {
	config, err := s.prepared.egressConfig()
	if err != nil {
		return 0, err
	}
	config.Decided = s.decided
	config.User, config.Password = backend.ProxyUser, rand.Text()
	listeners, port, err := listen()
	if err != nil {
		return 0, err
	}
	s.egress = egress.New(config)
	for _, l := range listeners {
		s.egress.Serve(l)
	}
	s.outsideEnv = backend.Environment(s.prepared.Resolved, "", backend.Proxy{Port: port, Password: config.Password})
	return port, nil
}

// freeTries bounds how often a port is taken that another family has in use.
const freeTries = 16

// listenFree listens at a free port of the host's loopback, of both families
// where the host has both: the rule that lets commands to the port does not tell
// them apart, and nobody else must answer there.
func listenFree() ([]net.Listener, int, error) {
	var err error
	for range freeTries {
		var v4, v6 net.Listener
		if v4, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			break
		}
		port := v4.Addr().(*net.TCPAddr).Port
		if v6, err = net.Listen("tcp", net.JoinHostPort("::1", strconv.Itoa(port))); err == nil {
			return []net.Listener{v4, v6}, port, nil
		}
		if noFamily(err) {
			return []net.Listener{v4}, port, nil
		}
		v4.Close()
	}
	return nil, 0, diag.New(diag.LaunchFailed, fmt.Sprintf("the proxy cannot listen on the host's loopback: %v", err), "")
}

// listenAlone listens at a port of 127.0.0.1 beside which no other socket can be
// bound to it.
func listenAlone(port int) (net.Listener, error) {
	c := net.ListenConfig{Control: exclusive}
	l, err := c.Listen(context.Background(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, diag.New(diag.LaunchFailed, fmt.Sprintf("the proxy cannot listen at port %d of 127.0.0.1, which setup gave the sandbox's account: %v", port, err),
			fmt.Sprintf("end what listens there (netstat -ano | findstr :%d), or run caisson setup install with more accounts (--proxy)", port))
	}
	return l, nil
}
