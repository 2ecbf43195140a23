// SPDX-License-Identifier: Apache-2.0

package apparmor

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

var update = flag.Bool("update", false, "write the golden file anew")

const golden = "testdata/caisson"

func installed() []string { return []string{"/usr/local/bin/caisson", "/usr/local/bin/caisson-full"} }

func profile(t *testing.T) string {
	t.Helper()
	text, err := Profile(installed())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestProfileGolden(t *testing.T) {
	t.Parallel()
	text := profile(t)
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != text {
		t.Errorf("%s differs (%v):\n%s", golden, err, text)
	}
}

// TestProfileParses has the parser of this machine read the profile. One before
// version 4 does not know the rule that it is about, so that line is left out
// for it. Nothing is loaded.
func TestProfileParses(t *testing.T) {
	t.Parallel()
	h := System()
	version, err := exec.Command(h.Parser, "--version").Output()
	if err != nil {
		t.Skipf("there is no parser: %v", err)
	}
	text := profile(t)
	if strings.Contains(string(version), "version 3.") || strings.Contains(string(version), "version 2.") {
		text = strings.Replace(strings.Replace(text, "abi <abi/4.0>,", "abi <abi/3.0>,", 1), "  userns,\n", "", 1)
	}
	parse := func(text string) ([]byte, error) {
		c := exec.Command(h.Parser, "--skip-kernel-load", "--skip-cache", "--config-file", "/dev/null")
		c.Stdin = strings.NewReader(text)
		return c.CombinedOutput()
	}
	if out, err := parse(text); err != nil {
		t.Errorf("%v: %s\n%s", err, out, text)
	}
	if out, err := parse(strings.Replace(text, "flags=(unconfined) {", "flags=(unconfined)", 1)); err == nil {
		t.Errorf("what is no profile is read as one: %s", out)
	}
}

func TestProfileRefuses(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"caisson", "/opt/{a}/caisson", "/opt/*", "/opt/a\"b", "/opt/a,b", "/opt/@{HOME}", "/opt/a\nb", "/opt/a[b]", `/opt/a\b`} {
		var d *diag.Diagnostic
		if _, err := Profile([]string{p}); !errors.As(err, &d) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// TestPrograms: a profile is only for what root alone can write.
func TestPrograms(t *testing.T) {
	t.Parallel()
	if list, err := Programs("/bin/sh"); err != nil || len(list) != 1 {
		t.Errorf("/bin/sh: %v %v", list, err)
	}
	open := filepath.Join(t.TempDir(), "caisson")
	if err := os.WriteFile(open, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	var d *diag.Diagnostic
	if _, err := Programs(open); !errors.As(err, &d) || !strings.Contains(d.Message, "can be written") || !strings.Contains(d.Remedy, "/usr/local/bin") {
		t.Errorf("a program that all can write: %v", err)
	}
	if _, err := Programs("/nonexistent/caisson"); err == nil {
		t.Error("a program that is not there is taken")
	}
}

// host is one that restricts, with a parser that notes how it was called.
func host(t *testing.T, parser string) (Host, func() string) {
	t.Helper()
	dir := t.TempDir()
	h := Host{Switch: filepath.Join(dir, "switch"), Dir: filepath.Join(dir, "profiles"), Parser: filepath.Join(dir, "parser")}
	calls := filepath.Join(dir, "calls")
	for _, err := range []error{
		os.Mkdir(h.Dir, 0o755),
		os.WriteFile(h.Switch, []byte("1\n"), 0o644),
		os.WriteFile(h.Parser, []byte("#!/bin/sh\necho $1 >>"+calls+"\n"+parser+"\n"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return h, func() string {
		text, _ := os.ReadFile(calls) // none: it was not called
		return string(text)
	}
}

func wantState(t *testing.T, h Host, want string) {
	t.Helper()
	if got, err := h.State(installed()); got != want || err != nil {
		t.Errorf("state %q %v, want %q", got, err, want)
	}
}

func TestInstallAndUninstall(t *testing.T) {
	h, calls := host(t, "exit 0")
	wantState(t, h, "none")
	if err := h.Install(profile(t)); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "ready")
	if err := os.WriteFile(h.File(), []byte(marker+"# an older one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "stale")
	if err := h.Install(profile(t)); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "ready")
	if err := h.Uninstall(); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "none")
	if got := calls(); got != "--replace\n--replace\n--remove\n" {
		t.Errorf("the parser was called with %q", got)
	}
	if left, err := os.ReadDir(h.Dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if err := os.WriteFile(h.Switch, []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "not-needed")
}

// TestInstallFails: what cannot be loaded is not left, and what was there comes
// back.
func TestInstallFails(t *testing.T) {
	h, _ := host(t, "echo no such interface >&2; exit 1")
	err := h.Install(profile(t))
	if err == nil || !strings.Contains(err.Error(), "no such interface") {
		t.Errorf("got %v", err)
	}
	wantState(t, h, "none")
	old := marker + "# an older one\n"
	if err := os.WriteFile(h.File(), []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	if h.Install(profile(t)) == nil {
		t.Error("a failure is no error")
	}
	if text, err := os.ReadFile(h.File()); string(text) != old {
		t.Errorf("the old profile is %q %v", text, err)
	}
	if h.Uninstall() == nil {
		t.Error("what cannot be unloaded is removed")
	}
	wantState(t, h, "stale")
}

// TestForeign: a file of somebody else with the name is neither overwritten nor
// removed.
func TestForeign(t *testing.T) {
	h, calls := host(t, "exit 0")
	if err := os.WriteFile(h.File(), []byte("profile caisson /x {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "foreign")
	if h.Install(profile(t)) == nil || h.Uninstall() == nil || calls() != "" {
		t.Errorf("it was touched, with %q", calls())
	}
}
