// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// benchProxy is a proxy that lets one server be reached, and ways to it: plain,
// and by a tunnel.
func benchProxy(b *testing.B, serve func(net.Conn)) (direct, tunnel func() net.Conn) {
	b.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	port := server.Addr().(*net.TCPAddr).Port
	p := New(Config{
		List:    hostrule.List{Allow: rules(b, "allowed.example", fmt.Sprintf("127.0.0.1:%d", port))},
		Resolve: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{loopback()}, nil },
		Decided: func(Decision) {},
	})
	p.Serve(inner)
	b.Cleanup(func() { p.Close(); server.Close() })
	dial := func(addr net.Addr) net.Conn {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	request := fmt.Sprintf("CONNECT allowed.example:%d HTTP/1.1\r\nHost: x\r\n\r\n", port)
	direct = func() net.Conn { return dial(server.Addr()) }
	tunnel = func() net.Conn {
		c := dial(inner.Addr())
		if _, err := io.WriteString(c, request); err != nil {
			b.Fatal(err)
		}
		// No more than the head is read: the server may have spoken already.
		if _, err := io.ReadFull(c, make([]byte, len("HTTP/1.1 200 Connection established\r\n\r\n"))); err != nil {
			b.Fatal(err)
		}
		return c
	}
	return direct, tunnel
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkThroughput sends 64 MiB plainly and through the proxy, in turn, and
// reports the ratio of the medians: 1 is as fast as without the proxy.
func BenchmarkThroughput(b *testing.B) {
	const size = 64 << 20
	direct, tunnel := benchProxy(b, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	})
	block := make([]byte, 256<<10)
	send := func(dial func() net.Conn) time.Duration {
		c := dial()
		defer c.Close()
		start := time.Now()
		for range size / len(block) {
			if _, err := c.Write(block); err != nil {
				b.Fatal(err)
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = c.Read(block[:1]) // the server has it all
		return time.Since(start)
	}
	var plain, through []time.Duration
	for b.Loop() {
		plain = append(plain, send(direct))
		through = append(through, send(tunnel))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(size)/median(plain).Seconds()/(1<<20), "direct-MiB/s")
	b.ReportMetric(float64(median(plain))/float64(median(through)), "tunnel/direct")
}

// BenchmarkConnect measures from the beginning of a connection to the first byte
// of the server, plainly and by CONNECT, in turn.
func BenchmarkConnect(b *testing.B) {
	direct, tunnel := benchProxy(b, func(c net.Conn) {
		_, _ = io.WriteString(c, "x")
		_, _ = c.Read(make([]byte, 1))
		c.Close()
	})
	first := func(dial func() net.Conn) time.Duration {
		start := time.Now()
		c := dial()
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	var plain, through []time.Duration
	for b.Loop() {
		plain = append(plain, first(direct))
		through = append(through, first(tunnel))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(plain).Nanoseconds())/1000, "direct-µs")
	b.ReportMetric(float64((median(through)-median(plain)).Nanoseconds())/1000, "more-µs")
}
