// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/cmd/internal/testkit"
)

// The executable of the tests is the command under its name, and these.
const (
	wardenName = "warden" // BASE LAUNCHES SEED: has a soaker run and sees what outlives it
	soakerName = "soaker" // BASE LAUNCHES SEED: launches, kills and measures
	crowdName  = "crowd"  // BASE SANDBOXES SEED: has holders hold that many together
	holderName = "holder" // BASE SANDBOXES FIRST: holds sandboxes open
)

// ordinary is a user and group that no host has.
const ordinary = 12345

var (
	launches = flag.Int("launches", 200, "sandboxes to launch as each user")
	alive    = flag.Int("alive", 40, "sandboxes to hold open at once as each user")
)

func TestMain(m *testing.M) {
	switch name := filepath.Base(os.Args[0]); name {
	case "caisson":
		os.Exit(cli.Main(os.Args[1:]))
	case wardenName, soakerName, crowdName, holderName:
		role := map[string]func(string, int, uint64) error{wardenName: warden, soakerName: soaker, crowdName: crowd, holderName: holder}[name]
		n, err := strconv.Atoi(os.Args[2])
		if err == nil {
			var seed uint64
			if seed, err = strconv.ParseUint(os.Args[3], 10, 64); err == nil {
				err = role(os.Args[1], n, seed)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestSoak launches sandboxes by the library and by the command line, kills one
// in fifty of them at any moment of theirs, and requires that nothing grew from
// the first hundreds to the last, and that nothing is left.
func TestSoak(t *testing.T) { asEachUser(t, wardenName, *launches) }

// TestAlive holds many sandboxes open at once. All of them must hold, and
// nothing may be left of them.
func TestAlive(t *testing.T) { asEachUser(t, crowdName, *alive) }

// asEachUser runs a role as the user of the tests and, where that is root, as an
// ordinary one.
func asEachUser(t *testing.T, role string, n int) {
	t.Parallel()
	users := map[string]int{"caller": os.Geteuid()}
	if os.Geteuid() == 0 {
		users["ordinary"] = ordinary
	}
	for name, user := range users {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runRole(t, user, role, n)
		})
	}
}

func runRole(t *testing.T, user int, role string, n int) {
	parent := "/var" // in no temporary directory: commands have private ones
	if os.Geteuid() != 0 {
		parent, _ = os.UserHomeDir()
	}
	base, err := os.MkdirTemp(parent, "caisson-soak-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	for _, dir := range []string{"", "home", "tmp", "work"} {
		dir = filepath.Join(base, dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, user, -1); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(base, "caisson")
	if err := testkit.CopyFile(program, "/proc/self/exe", 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command(program)
		cmd.Args = args
		cmd.Dir = base
		cmd.Env = []string{"HOME=" + filepath.Join(base, "home"), "TMPDIR=" + filepath.Join(base, "tmp"), "PATH=" + os.Getenv("PATH")}
		if user != os.Geteuid() {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
		}
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if text, err := run("caisson", "doctor", "--facts-only"); err != nil {
		t.Skipf("this host cannot uphold the standard contract: %v: %s", err, text)
	}
	text, err := run(role, base, strconv.Itoa(n), strconv.FormatInt(int64(os.Getpid()), 10))
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	} else {
		t.Log(text)
	}
}
