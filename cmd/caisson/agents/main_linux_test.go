// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
	"github.com/caisson-sandbox/caisson/cmd/internal/testkit"
	"github.com/caisson-sandbox/caisson/conformance"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

var (
	update = flag.Bool("update", false, "write the golden files")
	judged = flag.String("conformance", "", "judge serve by the cases that match, of all that it can express; . is all")
)

// base is where the tests work: in no temporary directory, since commands have
// private ones.
const base = "CAISSON_AGENTS_BASE"

// nodeModules names a directory with packages that tests in TypeScript need.
const nodeModules = "CAISSON_NODE_MODULES"

// TestMain is the command itself where the executable of the tests is called so.
func TestMain(m *testing.M) {
	conformance.Main(sandbox.Backends()...)
	if os.Args[0] == ownerName {
		os.Exit(agent(os.Args[1]))
	}
	if filepath.Base(os.Args[0]) == "caisson" {
		os.Exit(cli.Main(os.Args[1:]))
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	parent := "/var"
	if os.Geteuid() != 0 {
		parent, _ = os.UserHomeDir()
	}
	dir, err := os.MkdirTemp(parent, "caisson-agents-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, name := range os.Environ() {
		if name, _, _ = strings.Cut(name, "="); name != nodeModules && (strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "CAISSON")) {
			os.Unsetenv(name)
		}
	}
	home := filepath.Join(dir, "home")
	for _, err := range []error{os.Mkdir(home, 0o700), os.Setenv("HOME", home), os.Setenv(base, dir), testkit.CopyFile(filepath.Join(dir, "caisson"), "/proc/self/exe", 0o755)} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// program is the path of the command.
func program() string { return filepath.Join(os.Getenv(base), "caisson") }

// workspace makes a directory to work in. It skips where this host cannot uphold
// the standard contract.
func workspace(t testing.TB) string {
	t.Helper()
	if err := exec.Command(program(), "doctor", "--facts-only").Run(); err != nil {
		t.Skip("this host cannot uphold the standard contract: ", err)
	}
	dir, err := os.MkdirTemp(os.Getenv(base), "work-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// patience is how long anything may take before a test gives up.
const patience = 60 * time.Second

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// server is a caisson serve.
type server struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	client *serve.Client // nil for a raw one
	ended  chan error
}

// startServer starts caisson serve. What commands write is given to output.
func startServer(t testing.TB, path string, output func(command, stream string, data []byte)) *server {
	t.Helper()
	s := startRaw(t, path)
	s.client = serve.NewClient(s.out, func(line []byte, _ []*os.File) error {
		_, err := s.in.Write(line)
		return err
	}, output)
	if err := s.client.Call("initialize", map[string]int{"protocol": serve.Protocol}, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// startRaw starts caisson serve without a client.
func startRaw(t testing.TB, path string) *server {
	t.Helper()
	s := &server{cmd: exec.Command(path, "serve"), ended: make(chan error, 1)}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if s.out, err = s.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.in.Close()
		s.wait(t)
	})
	return s
}

// wait waits for the end of the server and gives its status. It may be called
// again.
func (s *server) wait(t testing.TB) int {
	t.Helper()
	if s.cmd.ProcessState == nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		stop := context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() })
		_ = s.cmd.Wait() // the status tells
		if !stop() {
			t.Error("the server did not end by itself")
		}
		cancel()
	}
	return s.cmd.ProcessState.ExitCode()
}

// open opens a sandbox and returns its id.
func (s *server) open(t testing.TB, dir string, flags ...string) string {
	t.Helper()
	var opened struct{ Sandbox string }
	if err := s.client.Call("sandbox.open", map[string]any{"workspace": []string{dir}, "flags": append([]string{}, flags...)}, &opened); err != nil {
		t.Fatal(err)
	}
	return opened.Sandbox
}
