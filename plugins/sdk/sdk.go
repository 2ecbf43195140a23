// SPDX-License-Identifier: Apache-2.0

// Package sdk makes a backend a program of its own, which caisson finds, runs
// and judges. Beside core it is all that an author in Go needs:
//
//	func main() { sdk.Serve(mine.New()) }
//
// The program is called caisson-backend-NAME. Caisson starts it when a command
// needs it, asks it to describe itself, to probe the host and to plan, and ends
// it. It executes nothing: what it returns is data, see backend.Backend. How to
// write, try and ship one is told in docs/authoring-a-backend.md.
package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/plugins/protocol"
)

// Serve serves a backend to the caisson that started this program, and does
// not return: the program ends when caisson is done with it or is gone. Started
// by a person it says so and exits with 1. What is written to os.Stdout
// afterwards is dropped.
func Serve(b backend.Backend) {
	if os.Getenv(protocol.CookieKey) == protocol.CookieValue {
		go endWith(os.Stdin)
	}
	goplugin.Serve(config(b))
	os.Exit(0)
}

// endWith ends the program at the end of a file, which caisson holds the other
// end of: so no backend outlives a caisson that was killed.
func endWith(f *os.File) {
	_, _ = io.Copy(io.Discard, f)
	os.Exit(0)
}

// Logger returns a logger whose lines caisson shows with -v, marked with the
// name of the backend. Make it before Serve. It may be used by many goroutines.
func Logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: os.Stderr, JSONFormat: true})
}

// Reattach is what ServeDebug writes: where a backend that runs under a
// debugger is to be found.
type Reattach struct {
	Format  int    `json:"format"`
	Network string `json:"network"`
	Address string `json:"address"`
	PID     int    `json:"pid"`
}

// ServeDebug serves a backend that was started by hand, as by a debugger, until
// the context is done. It writes to file where the backend is to be found; then
// `caisson plan --plugin reattach:FILE` and others use it instead of starting
// one. The socket is in a directory that only the caller can enter.
func ServeDebug(ctx context.Context, b backend.Backend, file string) error {
	dir, err := os.MkdirTemp("", "caisson-debug-")
	if err != nil {
		return fmt.Errorf("a directory for the socket: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(goplugin.EnvUnixSocketDir, dir); err != nil {
		return err
	}
	found := make(chan *goplugin.ReattachConfig, 1)
	closed := make(chan struct{})
	c := config(b)
	c.Test = &goplugin.ServeTestConfig{Context: ctx, ReattachConfigCh: found, CloseCh: closed}
	go goplugin.Serve(c)
	select {
	case r := <-found:
		if err := writeReattach(file, Reattach{Format: 1, Network: r.Addr.Network(), Address: r.Addr.String(), PID: r.Pid}); err != nil {
			return err
		}
		defer os.Remove(file)
	case <-closed:
		return fmt.Errorf("the backend could not be served")
	}
	<-closed
	return ctx.Err()
}

func writeReattach(file string, r Reattach) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".reattach-*") // mode 0600
	if err != nil {
		return fmt.Errorf("say where the backend is: %w", err)
	}
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("say where the backend is: %w", err)
	}
	return nil
}

func config(b backend.Backend) *goplugin.ServeConfig {
	return &goplugin.ServeConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: protocol.CookieKey, MagicCookieValue: protocol.CookieValue},
		VersionedPlugins: map[int]goplugin.PluginSet{protocol.Major: {"backend": &served{backend: b}}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(protocol.MaxMessage), grpc.MaxSendMsgSize(protocol.MaxMessage))...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	}
}
