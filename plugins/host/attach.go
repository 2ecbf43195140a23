// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/plugins/protocol"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// reattach is the form of the file that sdk.ServeDebug writes.
type reattach struct {
	Format  int    `json:"format"`
	Network string `json:"network"`
	Address string `json:"address"`
	PID     int    `json:"pid"`
}

// Attach uses a backend that its author runs under a debugger. It is not one
// that is trusted by its hash: that the file is the caller's own is what there
// is. Close leaves the backend running. Its answers are judged as any other's.
func Attach(ctx context.Context, file string, o Options) (*Plugin, error) {
	r, err := readReattach(file)
	if err != nil {
		return nil, diag.New(diag.PluginUnsafe, "the backend of "+diag.Quote(file)+" cannot be used: "+printable(err.Error()),
			"the file is written by sdk.ServeDebug and belongs to who debugs")
	}
	p := &Plugin{
		plugin:   registry.Plugin{Name: "under debug", State: registry.Trusted, Trust: &registry.Trust{}},
		timeouts: o.Timeouts.filled(), socket: &socketDir{},
	}
	config := p.config(o, newLogger(nil, ""))
	config.RunnerFunc, config.AutoMTLS, config.UnixSocketConfig, config.SkipHostEnv = nil, false, nil, false
	config.Reattach = &goplugin.ReattachConfig{
		Protocol: goplugin.ProtocolGRPC, ProtocolVersion: protocol.Major, Test: true, Pid: r.PID,
		Addr: &net.UnixAddr{Name: r.Address, Net: "unix"},
	}
	config.Plugins = config.VersionedPlugins[protocol.Major]
	p.client = goplugin.NewClient(config)
	if err := p.connect(ctx, o); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func realPath(file string) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

func readReattach(file string) (reattach, error) {
	var r reattach
	f, err := os.Open(file)
	if err != nil {
		return r, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return r, errors.New("it is no regular file")
	}
	abs, err := realPath(file)
	if err != nil {
		return r, err
	}
	if err := policy.Vouch(abs); err != nil {
		return r, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return r, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, err
	}
	if r.Format != 1 || r.Network != "unix" {
		return r, fmt.Errorf("format %d and network %q are not known", r.Format, r.Network)
	}
	return r, policy.Vouch(r.Address)
}
