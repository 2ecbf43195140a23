// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/caisson-sandbox/caisson/backends/fake"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/plugins/internal/backendpb"
	"github.com/caisson-sandbox/caisson/plugins/protocol"
)

// TestMain makes this binary a backend where a test says so.
func TestMain(m *testing.M) {
	switch os.Getenv("CAISSON_SDK_TEST") {
	case "serve":
		Serve(example())
	case "log":
		Logger().Warn("said", "key", "value")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func example() *fake.Backend {
	return &fake.Backend{
		Answer: backend.Info{Name: "example", Version: "1", OS: []string{runtime.GOOS}, Rank: 7, OneCommand: true},
		Report: backend.Report{Usable: true, Offers: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByKernel}}, Facts: json.RawMessage(`{"a":1}`)},
		Plan: &plan.Plan{
			Format: plan.Format, Backend: "example", OS: "linux", Arch: "amd64", Claims: guarantee.Set{guarantee.WriteConfined: {By: guarantee.ByKernel}},
			Steps: []plan.Step{plan.Wrap{Programs: []plan.Program{{Path: "/usr/bin/env"}}}},
		},
	}
}

func aPolicy(t *testing.T) []byte {
	t.Helper()
	r, _, err := policy.Standard(t.TempDir()).Resolve(policy.OSHost())
	if err != nil {
		t.Skip("no policy can be resolved here: ", err)
	}
	text, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAnswers: what the backend says arrives in the form that hosts read.
func TestAnswers(t *testing.T) {
	t.Parallel()
	b := example()
	s := &server{backend: b}
	described, err := s.Describe(t.Context(), &backendpb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := backend.DecodeInfo(described.GetInfo()); err != nil || !reflect.DeepEqual(info, b.Answer) || described.GetMinor() != protocol.Minor {
		t.Errorf("%+v, %v", info, err)
	}
	probed, err := s.Probe(t.Context(), &backendpb.ProbeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := backend.DecodeReport(probed.GetReport()); err != nil || !reflect.DeepEqual(report, b.Report) {
		t.Errorf("%+v, %v", report, err)
	}
	planned, err := s.Prepare(t.Context(), &backendpb.PrepareRequest{Policy: aPolicy(t), Facts: b.Report.Facts})
	if err != nil {
		t.Fatal(err)
	}
	if made, err := plan.Decode(planned.GetPlan()); err != nil || !reflect.DeepEqual(made.Steps, b.Plan.Steps) {
		t.Errorf("%+v, %v", made, err)
	}
}

// TestRefusals: a diagnostic arrives as it is, another error as its text, and
// neither as an error of the connection.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want diag.Diagnostic
	}{
		{diag.New(diag.ModeUnsupported, "no such mode", "use another"), diag.Diagnostic{Code: diag.ModeUnsupported, Message: "no such mode", Remedy: "use another"}},
		{errors.New("disk on fire"), diag.Diagnostic{Code: diag.PlanInvalid, Message: "disk on fire"}},
	} {
		b := example()
		b.ProbeErr, b.PlanError = c.err, c.err
		s := &server{backend: b}
		probed, err := s.Probe(t.Context(), &backendpb.ProbeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		planned, err := s.Prepare(t.Context(), &backendpb.PrepareRequest{Policy: aPolicy(t)})
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string][]byte{"probe": probed.GetRefusal(), "plan": planned.GetRefusal()} {
			d, ok := errors.AsType[*diag.Diagnostic](second(backend.DecodeRefusal(text)))
			if !ok || *d != c.want {
				t.Errorf("%s: %+v, want %+v", what, d, c.want)
			}
		}
	}
}

// second gives a refusal that could be read as an error, and why one could not.
func second(d *diag.Diagnostic, err error) error {
	if err != nil {
		return err
	}
	return d
}

// TestUnreadable: what cannot be read or written is an error of the call.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	s := &server{backend: example()}
	for _, text := range []string{"", "{", `{"format":1,"more":1}`} {
		if _, err := s.Prepare(t.Context(), &backendpb.PrepareRequest{Policy: []byte(text)}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("policy %q: %v", text, err)
		}
	}
	b := example()
	b.Answer.Name = "not \xff text"
	b.Plan.Backend = b.Answer.Name
	s = &server{backend: b}
	if _, err := s.Describe(t.Context(), &backendpb.DescribeRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("a name that is no text: %v", err)
	}
	if _, err := s.Prepare(t.Context(), &backendpb.PrepareRequest{Policy: aPolicy(t)}); status.Code(err) != codes.Internal {
		t.Errorf("a plan that cannot be written: %v", err)
	}
}

// again starts this binary as what TestMain makes of it.
func again(t *testing.T, as string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(append(os.Environ(), "CAISSON_SDK_TEST="+as), env...)
	return cmd
}

// TestServe: started by hand the program says what it is; started by caisson it
// shakes hands, and ends with its standard input.
func TestServe(t *testing.T) {
	t.Parallel()
	out, err := again(t, "serve").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), "plugin") {
		t.Errorf("by hand: %v, %s", err, out)
	}
	cmd := again(t, "serve", protocol.CookieKey+"="+protocol.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", goplugin.EnvUnixSocketDir+"="+socketDir(t))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 4)
	if _, err := io.ReadFull(stdout, said); err != nil || string(said) != "1|1|" {
		t.Errorf("the handshake begins with %q, %v", said, err)
	}
	stdin.Close()
	_, _ = io.Copy(io.Discard, stdout)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// socketDir is a directory with a short path: that of a socket has a limit.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sdk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestLogger: a line is one that hosts can take apart, on the standard error.
func TestLogger(t *testing.T) {
	t.Parallel()
	cmd := again(t, "log")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	if err := json.Unmarshal(stderr.Bytes(), &line); err != nil || line["@message"] != "said" || line["key"] != "value" || line["@level"] != "warn" || stdout.Len() > 0 {
		t.Errorf("%v: %s%s", err, &stderr, &stdout)
	}
}

// TestReattachFile: the file is whole, the caller's alone, and none is left
// where it cannot be written.
func TestReattachFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, want := filepath.Join(dir, "it.json"), Reattach{Format: 1, Network: "unix", Address: "/s", PID: 7}
	for range 2 { // the second time over the first
		if err := writeReattach(file, want); err != nil {
			t.Fatal(err)
		}
	}
	var got Reattach
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil || got != want {
		t.Errorf("%v: %s", err, text)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeReattach(filepath.Join(dir, "d"), want); err == nil {
		t.Error("a directory was replaced")
	}
	if err := writeReattach(filepath.Join(dir, "none", "it.json"), want); err == nil {
		t.Error("a file was made in no directory")
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 2 {
		t.Errorf("left: %v, %v", list, err)
	}
}
