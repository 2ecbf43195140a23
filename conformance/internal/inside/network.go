// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// patience bounds every act that waits for another party.
const patience = 3 * time.Second

func networkOps() map[string]op {
	return map[string]op{
		// dial Net Addr Data: connect, send Data, read one answer as Data.
		"dial": func(_ *Helper, r act.Request) act.Reply {
			c, err := net.DialTimeout(r.Net, r.Addr, patience)
			if err != nil {
				return failed(err)
			}
			defer c.Close()
			return talk(c, r.Data)
		},
		// reach Addr Data: as dial, by the way that programs are told of: the
		// proxy that HTTPS_PROXY names, if it is on the loopback.
		"reach": func(_ *Helper, r act.Request) act.Reply {
			c, err := reach(r.Addr)
			if err != nil {
				return failed(err)
			}
			defer c.Close()
			return talk(c, r.Data)
		},
		// send Net Addr Data: one packet, without waiting for an answer.
		"send": func(_ *Helper, r act.Request) act.Reply {
			c, err := net.DialTimeout(r.Net, r.Addr, patience)
			if err != nil {
				return failed(err)
			}
			defer c.Close()
			_, err = c.Write([]byte(r.Data))
			return failed(err)
		},
		// listen Net Addr Data: a server that answers every connection with
		// Data until the helper ends. Its address is Data of the reply.
		"listen": func(h *Helper, r act.Request) act.Reply {
			l, err := net.Listen(r.Net, r.Addr)
			if err != nil {
				return failed(err)
			}
			h.held[l.Addr().String()] = l
			go answer(l, r.Data)
			return act.Reply{Data: []byte(l.Addr().String())}
		},
		// lookup Path Addr: resolve the name Path at the server Addr.
		"lookup": func(_ *Helper, r act.Request) act.Reply {
			resolver := net.Resolver{PreferGo: true}
			if r.Addr != "" {
				resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "udp", r.Addr)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			addrs, err := resolver.LookupHost(ctx, r.Path)
			reply := failed(err)
			reply.List = addrs
			return reply
		},
		// interfaces: the addresses of the network interfaces, as List.
		"interfaces": func(*Helper, act.Request) act.Reply {
			addrs, err := net.InterfaceAddrs()
			reply := failed(err)
			for _, a := range addrs {
				reply.List = append(reply.List, a.String())
			}
			return reply
		},
	}
}

// reach connects to an address, through a proxy where there is one.
func reach(addr string) (net.Conn, error) {
	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	if err != nil || proxy.Scheme != "http" || proxy.Hostname() != "127.0.0.1" {
		return net.DialTimeout("tcp", addr, patience)
	}
	login := ""
	if proxy.User != nil {
		login = "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(proxy.User.String())) + "\r\n"
	}
	c, err := net.DialTimeout("tcp", proxy.Host, patience)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", addr, addr, login)
	head := make([]byte, 0, 512)
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one[0]) {
		if _, err := io.ReadFull(c, one); err != nil {
			c.Close()
			return nil, err
		}
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		c.Close()
		return nil, fmt.Errorf("the proxy answers %.12q", head)
	}
	return c, nil
}

func talk(c net.Conn, say string) act.Reply {
	c.SetDeadline(time.Now().Add(patience))
	if say != "" {
		io.WriteString(c, say) // who has answered already may not listen any more
	}
	b := make([]byte, 512)
	n, err := c.Read(b)
	if n > 0 {
		err = nil
	}
	reply := failed(err)
	reply.Data = b[:n]
	return reply
}

func answer(l net.Listener, data string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			io.WriteString(c, data)
		}()
	}
}
