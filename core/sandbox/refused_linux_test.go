// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/audit"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// records returns what stands in an audit file, which must hold together.
func records(t *testing.T, name string) []audit.Record {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := audit.Verify(file, ""); err != nil {
		t.Error(err)
	}
	if _, err := file.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	var list []audit.Record
	err = audit.Read(file, func(_ []byte, r audit.Record) error {
		list = append(list, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRefusedIsNoted: a sandbox that is refused, and a command that an open one
// does not take, are in the audit file; the command is, too, which one was.
func TestRefusedIsNoted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit")
	dir := t.TempDir()
	p := policy.Standard(dir)
	p.Audit, p.Require = []string{file}, []guarantee.ID{"no.such"}
	options := &sandbox.Options{Reason: "to see", For: []string{"make", "secret-word"}}
	if sb, err := sandbox.Open(t.Context(), p, options); err == nil {
		sb.Close()
		t.Fatal("it opens")
	}
	p.Require = nil
	if _, err := sandbox.Open(t.Context(), p, &sandbox.Options{Prefer: "no/such"}); err == nil {
		t.Fatal("it opens")
	}
	p = policy.Standard(filepath.Join(dir, "missing"))
	p.Audit = []string{file}
	if _, err := sandbox.Open(t.Context(), p, nil); err == nil {
		t.Fatal("it opens")
	}
	sb, _ := open(t, func(p *policy.Policy) { p.Audit = []string{file} }, nil)
	cmd := sb.Command(t.Context(), "true")
	cmd.Path = ""
	if err := cmd.Run(); err == nil {
		t.Fatal("it runs")
	}
	if err := sb.Command(t.Context(), "true").Run(); err != nil {
		t.Fatal(err)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sb.Command(t.Context(), "true").Run(); err == nil {
		t.Fatal("it runs in a closed sandbox")
	}
	list := records(t, file)
	var events []string
	for _, r := range list {
		events = append(events, r.Event)
	}
	if want := []string{audit.Refused, audit.Refused, audit.Refused, audit.Refused, audit.Start, audit.End}; !slices.Equal(events, want) {
		t.Fatalf("%q, want %q", events, want)
	}
	first := list[0]
	if !strings.Contains(first.Refusal.Message, "no.such") || first.Reason != "to see" || !first.Command.Is(options.For) || first.Command.Name != "make" || !slices.Equal(first.Workspace, []string{dir}) || first.PolicyDigest != "" {
		t.Errorf("%+v, %+v", first, first.Refusal)
	}
	if text, err := json.Marshal(list); err != nil || strings.Contains(string(text), "secret-word") {
		t.Errorf("%v: a word of the command is there", err)
	}
	if chosen := list[1]; len(chosen.Workspace) != 1 || chosen.PolicyDigest == "" || chosen.Refusal.Message == "" {
		t.Errorf("%+v, %+v", chosen, chosen.Refusal)
	}
	if second := list[2]; second.Refusal.Code != string(diag.WorkspaceInvalid) || second.Command.Name != "" || second.PolicyDigest != "" {
		t.Errorf("%+v, %+v", second, second.Refusal)
	}
	if third := list[3]; third.Command.Name != "true" || third.Backend == "" || third.Refusal.Code == "" || third.Run != "" {
		t.Errorf("%+v, %+v", third, third.Refusal)
	}
	// Where commands write nothing is noted, whatever leads there.
	inside := t.TempDir()
	if err := os.Symlink(inside, inside+".link"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []policy.Policy{
		{Workspace: []string{inside}, Audit: []string{inside + ".link/audit"}},
		{Workspace: []string{inside + ".link"}, Audit: []string{inside + "/audit"}},
		{Workspace: []string{dir}, Files: policy.Files{Write: []string{inside}}, Audit: []string{inside + "/audit"}},
	} {
		p.Version, p.Workspace = policy.Version, append(p.Workspace, filepath.Join(dir, "missing"))
		if _, err := sandbox.Open(t.Context(), p, nil); err == nil || !strings.Contains(err.Error(), "not noted") {
			t.Errorf("%v", err)
		}
	}
	if list, err := os.ReadDir(inside); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	// What cannot be noted is said beside the refusal.
	p.Audit = []string{filepath.Join(t.TempDir(), "missing", "audit")}
	if _, err := sandbox.Open(t.Context(), p, nil); err == nil || !strings.Contains(err.Error(), "not noted") {
		t.Errorf("%v", err)
	}
}

// TestLessIsNoted: the record of a command says what it had less than the others
// of its sandbox, and nothing of the kind where it had all.
func TestLessIsNoted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "audit")
	sb, dir := open(t, func(p *policy.Policy) { p.Audit = []string{file} }, nil)
	write(t, filepath.Join(dir, "kept"), "x")
	write(t, filepath.Join(dir, "secret\x1b[31m"), "x")
	for _, change := range []func(*sandbox.Cmd){
		func(*sandbox.Cmd) {},
		func(c *sandbox.Cmd) { c.ReadOnly = true },
		func(c *sandbox.Cmd) { c.Protect, c.Hide = []string{"kept"}, []string{"secret\x1b[31m"} },
		func(c *sandbox.Cmd) { c.Hide = []string{"missing"} },
	} {
		cmd := sb.Command(t.Context(), "true")
		cmd.Dir = dir
		change(cmd)
		_ = cmd.Run() // the last one is refused, after its record
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records(t, file) {
		text, err := json.Marshal(r.Less)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Event+" "+strings.ReplaceAll(string(text), dir, "DIR"))
	}
	escaped, _ := json.Marshal(audit.Text(dir + "/secret\x1b[31m"))
	readOnly := `{"guarantees":["fs.write.confined"],"read_only":["DIR"],"protect":[],"hide":[]}`
	marked := `{"guarantees":["fs.write.protected","fs.read.hidden"],"read_only":[],"protect":["DIR/kept"],"hide":[` + strings.ReplaceAll(string(escaped), dir, "DIR") + `]}`
	missing := `{"guarantees":["fs.read.hidden"],"read_only":[],"protect":[],"hide":["DIR/missing"]}`
	want := []string{
		"start null", "end null", "start " + readOnly, "end " + readOnly, "start " + marked, "end " + marked, "start " + missing, "end " + missing,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
