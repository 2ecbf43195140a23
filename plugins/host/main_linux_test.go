// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/plugins/internal/backendpb"
	"github.com/caisson-sandbox/caisson/plugins/protocol"
	"github.com/caisson-sandbox/caisson/plugins/registry"
	"github.com/caisson-sandbox/caisson/plugins/sdk"
)

// TestMain makes this binary the plugin that the name it is started under
// says: plugins get no arguments and nothing of the environment.
func TestMain(m *testing.M) {
	if name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), protocol.ExecutablePrefix); ok {
		bePlugin(name)
		os.Exit(3)
	}
	if len(os.Args) > 2 && os.Args[1] == "host" {
		beHost(os.Args[2], os.Args[3])
	}
	os.Exit(m.Run())
}

// good is a backend that upholds one guarantee and plans nothing.
func good(name string) *fake.Backend {
	return &fake.Backend{
		Answer: backend.Info{Name: name, Version: "1.2", OS: []string{runtime.GOOS}, Rank: 1000},
		Report: backend.Report{
			Usable: true, Offers: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByKernel}},
			Unmet: []plan.Unmet{{ID: guarantee.NetOffline, Reason: "not today"}},
			Facts: json.RawMessage(`{"a":1}`),
		},
		Plan: goodPlan(name),
	}
}

func goodPlan(name string) *plan.Plan {
	return &plan.Plan{
		Format: plan.Format, Backend: name, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Claims: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByKernel}},
		Steps:  []plan.Step{plan.Wrap{Programs: []plan.Program{{Path: "/bin/busybox-or-so"}}}},
	}
}

// crooked serves answers as they are, past everything that the sdk does.
type crooked struct {
	backendpb.UnimplementedBackendServer
	describe, probe, prepare func() ([]byte, error)
}

func (c *crooked) Describe(context.Context, *backendpb.DescribeRequest) (*backendpb.DescribeResponse, error) {
	b, err := c.describe()
	return &backendpb.DescribeResponse{Info: b}, err
}

func (c *crooked) Probe(context.Context, *backendpb.ProbeRequest) (*backendpb.ProbeResponse, error) {
	b, err := c.probe()
	return &backendpb.ProbeResponse{Answer: &backendpb.ProbeResponse_Report{Report: b}}, err
}

func (c *crooked) Prepare(context.Context, *backendpb.PrepareRequest) (*backendpb.PrepareResponse, error) {
	b, err := c.prepare()
	return &backendpb.PrepareResponse{Answer: &backendpb.PrepareResponse_Plan{Plan: b}}, err
}

type crookedPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	*crooked
}

func (c crookedPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	backendpb.RegisterBackendServer(s, c.crooked)
	return nil
}

func (c crookedPlugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (c *crooked) serve(version int, cookie string, options ...grpc.ServerOption) {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: protocol.CookieKey, MagicCookieValue: cookie},
		VersionedPlugins: map[int]goplugin.PluginSet{version: {"backend": crookedPlugin{crooked: c}}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, options...)...)
		},
	})
}

func static(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}

// honest answers as good does.
func honest(name string) *crooked {
	g := good(name)
	info, _ := backend.EncodeInfo(g.Answer)
	report, _ := backend.EncodeReport(g.Report)
	made, _ := plan.Encode(g.Plan)
	return &crooked{describe: static(string(info)), probe: static(string(report)), prepare: static(string(made))}
}

// verb returns the answer that a name such as "hang-probe" means to spoil.
func (c *crooked) verb(name string) *func() ([]byte, error) {
	switch {
	case strings.HasSuffix(name, "-describe"):
		return &c.describe
	case strings.HasSuffix(name, "-probe"):
		return &c.probe
	}
	return &c.prepare
}

// bePlugin does not return, but for names that are not known.
func bePlugin(name string) {
	c := honest(name)
	act, _, _ := strings.Cut(name, "-")
	switch act {
	case "good":
		sdk.Logger().Warn("hello \x1b[2J", "key", "va\nlue")
		b := good(name)
		switch name {
		case "good-looks":
			report(surroundings())
		case "good-refuses":
			b.PlanError = diag.New(diag.ModeUnsupported, "no such mode", "use another")
		case "good-plans":
			b.Plan.Steps = []plan.Step{plan.Wrap{Programs: []plan.Program{{Path: "/usr/bin/env"}, {Path: os.Args[0]}}}}
			b.Plan.Env = []plan.EnvEdit{{Name: "TMPDIR", Value: "/tmp"}}
			told, _ := os.ReadFile(os.Args[0] + ".told") // the workspace
			if work := string(told); work != "" {
				b.Plan.Steps = append([]plan.Step{plan.Hold{Path: work + "/.mcp.json", Kind: "dir"}, plan.Watch{Quarantine: []string{work + "/.envrc"}}}, b.Plan.Steps...)
			}
		}
		sdk.Serve(b)
	case "cookie":
		c.serve(protocol.Major, "something else")
	case "version":
		c.serve(protocol.Major+1, protocol.CookieValue)
	case "silent":
		time.Sleep(time.Hour)
	case "exits":
		os.Exit(7)
	case "babbles":
		fmt.Println("hello, \x1b]0;I am a plugin\x07")
		time.Sleep(time.Hour)
	case "elsewhere": // it wants the host to connect to somebody's socket
		fmt.Println("1|1|unix|/run/somebody.sock|grpc|")
		time.Sleep(time.Hour)
	case "open": // it listens without a certificate
		os.Unsetenv("PLUGIN_CLIENT_CERT")
	case "hang":
		*c.verb(name) = func() ([]byte, error) { time.Sleep(time.Hour); return nil, nil }
	case "crash":
		*c.verb(name) = func() ([]byte, error) { _ = syscall.Kill(os.Getpid(), syscall.SIGSEGV); select {} }
	case "stubborn": // it neither ends with its standard input nor by a signal
		os.Stdin, _ = os.Open("/dev/null")
	case "flood":
		out := map[bool]*os.File{true: os.Stdout, false: os.Stderr}[strings.Contains(name, "stdout")]
		flood := func() ([]byte, error) { _, err := io.Copy(out, endless{}); return nil, err }
		if strings.HasSuffix(name, "-start") {
			_, _ = flood()
		}
		*c.verb(name) = flood
	case "huge":
		c.serve(protocol.Major, protocol.CookieValue, grpc.ForceServerCodecV2(hugeCodec{}))
	case "child", "orphan":
		child := exec.Command("/bin/sh", "-c", "exec sleep 3600")
		if act == "orphan" { // a grandchild whose parent is gone
			child = exec.Command("/bin/sh", "-c", "sleep 3600 >/dev/null 2>&1 & echo $!")
			out, err := child.Output()
			if err != nil {
				os.Exit(4)
			}
			report(strings.TrimSpace(string(out)))
			break
		}
		if err := child.Start(); err != nil {
			os.Exit(4)
		}
		report(fmt.Sprint(child.Process.Pid))
	default:
		text, ok := lies()[name]
		if !ok {
			return
		}
		told, _ := os.ReadFile(os.Args[0] + ".told")
		if names := strings.Split(string(told), "\n"); len(names) == 3 {
			text = strings.NewReplacer("WORKSPACE", names[0], "FOREIGN", names[1], "HIDDEN", names[2]).Replace(text)
		}
		*c.verb(name) = static(strings.ReplaceAll(text, "NAME", name))
	}
	c.serve(protocol.Major, protocol.CookieValue)
	os.Exit(0)
}

// surroundings tells what a plugin finds itself in.
func surroundings() string {
	here, _ := os.Getwd()
	said := []string{"directory " + here}
	if f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		f.Close()
		said = append(said, "terminal")
	}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name())
		said = append(said, "descriptor "+e.Name()+" "+to)
	}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		said = append(said, "variable "+name)
	}
	return strings.Join(said, "\n")
}

// report writes what the test is to know beside the program.
func report(text string) {
	if err := os.WriteFile(os.Args[0]+".says", []byte(text), 0o600); err != nil {
		os.Exit(5)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'y'
		if i%80 == 79 {
			b[i] = '\n'
		}
	}
	return len(b), nil
}

// hugeCodec answers everything with one GiB.
type hugeCodec struct{}

func (hugeCodec) Name() string { return "proto" }

func (hugeCodec) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(make([]byte, 1<<30))}, nil
}

func (hugeCodec) Unmarshal(mem.BufferSlice, any) error { return nil }

// shelf makes a registry with the named plugins, trusted.
func shelf(t testing.TB, names ...string) registry.Registry {
	t.Helper()
	top := t.TempDir()
	r := registry.Registry{Places: []registry.Place{{Dir: filepath.Join(top, "plugins"), What: "user"}}, StateDir: filepath.Join(top, "state")}
	if err := os.Mkdir(r.Places[0].Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		install(t, r, name)
	}
	return r
}

func install(t testing.TB, r registry.Registry, name string) registry.Plugin {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.Places[0].Dir, protocol.ExecutablePrefix+name)
	if os.Link(self, file) != nil {
		text, err := os.ReadFile(self)
		if err == nil {
			err = os.WriteFile(file, text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := r.Find(name)
	if err == nil {
		p, err = r.Trust(p, nil, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}
