// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	backend "github.com/caisson-sandbox/caisson/backends/windows"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
	corebackend "github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/winrun"
)

// wine reports whether this is Wine, which has calls of Windows and not what
// they enforce.
func wine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// directory is t.TempDir with its real name, removed by calls that Wine has.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "helper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !wine() {
			_ = os.RemoveAll(dir)
		}
	})
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return dir
	}
	return real
}

func TestSeal(t *testing.T) {
	secret := []byte("of thirty-two bytes and no fewer")
	sealed, err := winapi.Seal(secret, []byte("a1b2c3d"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sealed), string(secret)) {
		t.Error("the secret is in what was sealed")
	}
	plain, err := winapi.Unseal(sealed, []byte("a1b2c3d"))
	if err != nil || string(plain) != string(secret) {
		t.Errorf("%q, %v", plain, err)
	}
	if plain, err := winapi.Unseal(sealed, []byte("another")); err == nil {
		t.Errorf("with another install: %q", plain)
	}
}

// TestSealedRequest: what is sealed can be unsealed for its install alone, and
// Forget leaves none of them.
func TestSealedRequest(t *testing.T) {
	state := directory(t)
	o := Options{Install: "a1b2c3d"}
	r := Request{Setup: o, Passwords: map[string]string{"caisson-a1b2c3d-off0": "first"}}
	if _, err := sealed(state, o.Install, "caisson-a1b2c3d-off0"); err == nil {
		t.Error("a password that nobody sealed")
	}
	if err := r.Seal(state); err != nil {
		t.Fatal(err)
	}
	if got, err := sealed(state, o.Install, "caisson-a1b2c3d-off0"); err != nil || got != "first" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := sealed(state, "0000000", "caisson-a1b2c3d-off0"); err == nil {
		t.Errorf("for another install: %q", got)
	}
	if err := o.Forget(state); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(state, "windows", "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestDisk(t *testing.T) {
	dir := directory(t)
	path := filepath.Join(dir, "held")
	if _, err := (Disk{}).Identify(path); !errors.Is(err, ErrAbsent) {
		t.Errorf("a path that is not there: %v", err)
	}
	id, err := Disk{}.Make(path, "file", ".\n")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := (Disk{}).Identify(path); err != nil || again != id {
		t.Errorf("%s, then %s, %v", id, again, err)
	}
	if _, err := (Disk{}).Make(path, "file", "x"); !errors.Is(err, ErrChanged) {
		t.Errorf("made twice: %v", err)
	}
	if err := (Disk{}).Remove(path, "0-0", "file", ".\n"); !errors.Is(err, ErrChanged) {
		t.Errorf("another file: %v", err)
	}
	if err := (Disk{}).Remove(path, id, "file", "other"); !errors.Is(err, ErrChanged) {
		t.Errorf("another content: %v", err)
	}
	if err := (Disk{}).Remove(path, id, "file", ".\n"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the placeholder is left")
	}
	// While something is made in a directory, that stays where it is.
	parent := filepath.Join(dir, "parent")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	pinned, err := pin(parent)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(parent, parent+"2"); err == nil {
		t.Error("a directory that is pinned was moved")
	}
	if err := windows.CloseHandle(pinned); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(parent, parent+"2"); err != nil {
		t.Errorf("and can be moved afterwards: %v", err)
	}
	if has, err := (Disk{}).HasACE(dir, "", "(A;OICI;0x1301bf;;;S-1-5-21-1-2-3-4)"); err != nil || has {
		t.Errorf("an entry that nobody added: %t, %v", has, err)
	}
}

func TestLocks(t *testing.T) {
	path := filepath.Join(directory(t), "lock")
	release, err := lockFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFile(path, false); !errors.Is(err, errHeld) {
		t.Errorf("locked twice: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = lockFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	dir := filepath.Dir(path)
	run, end, err := beginRun(dir)
	if err != nil || !isRun(run) || !alive(dir)(run) {
		t.Fatalf("this run is %q, alive %t, %v", run, alive(dir)(run), err)
	}
	if alive(dir)("x") {
		t.Error("a run that nobody began is alive")
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if alive(dir)(run) {
		t.Error("a run that has ended is alive")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.live")); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

// TestTokenRun opens a sandbox of windows/token and runs a command in it. Where
// the system keeps no access lists, or drops restricting SIDs, as Wine does,
// the helper must refuse: nothing is ever run with less than was planned.
func TestTokenRun(t *testing.T) {
	dir := directory(t)
	p := livePlan(t, filepath.Join(dir, "ws"), filepath.Join(dir, "state"))
	toHelper, ours := io.Pipe()
	theirs, fromHelper := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Serve(winrun.NewConn(toHelper, fromHelper), &outer{}) }()
	c := winrun.NewClient(winrun.NewConn(theirs, ours))
	attested, err := c.Open(p, filepath.Join(dir, "state"), nil)
	if wine() {
		if err == nil {
			t.Fatalf("a sandbox opens on Wine, with %+v", attested)
		}
		t.Logf("refused, as it must be here: %v", err)
		ours.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(filepath.Join(dir, "state", "windows"))
		for _, e := range left {
			if strings.HasSuffix(e.Name(), ".run") {
				t.Errorf("the ledger %s is left, %v", e.Name(), err)
			}
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "outside")
	script := "echo in> " + filepath.Join(dir, "ws", "inside") + " & echo out> " + target
	r, err := c.Start(winrun.Message{Path: "cmd", Args: []string{"cmd", "/c", script}, Env: os.Environ(), Dir: filepath.Join(dir, "ws"), Handles: []uint64{0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ws", "inside")); err != nil {
		t.Errorf("the workspace could not be written: %v", err)
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("a file outside of the workspace was made")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// livePlan makes the plan of windows/token for a workspace of this machine.
func livePlan(t *testing.T, workspace, state string) *plan.Plan {
	t.Helper()
	for _, d := range []string{workspace, state} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r, _, err := policy.Standard(workspace).Resolve(policy.OSHost())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range backend.New(backend.Options{StateDir: state}) {
		if b.Info().Name != backend.TokenName {
			continue
		}
		report, err := b.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var f backend.Facts
		if err := json.Unmarshal(report.Facts, &f); err != nil {
			t.Fatal(err)
		}
		if len(f.Volumes) == 0 || f.Build == 0 {
			t.Errorf("facts: %+v", f)
		}
		if wine() { // whose drives keep no access lists; the plan is made all the same
			for i := range f.Volumes {
				f.Volumes[i].ACLs = true
			}
			f.Build = max(f.Build, 19045)
			f.Places = append(slices.DeleteFunc(f.Places, func(backend.Place) bool { return true }), backend.TypicalFacts("amd64").Places...)
			home, err := os.UserHomeDir()
			if err != nil {
				t.Fatal(err)
			}
			f.Places = append(f.Places, backend.Place{Path: home, SDDL: "O:{user}G:{user}D:P(A;OICI;FA;;;{user})"})
		}
		facts, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.Prepare(t.Context(), corebackend.Request{Policy: r, Facts: facts})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatal("no backend")
	return nil
}
