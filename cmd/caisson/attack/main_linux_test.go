// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/cmd/internal/testkit"
)

// The executable of the tests does something else under these names.
const (
	attackerName = "attacker" // ID ARG…: does one act
	callerName   = "caller"   // HOW WORKSPACE ID ARG…: runs an act as a program that uses the library
	ownerName    = "owner"    // WORKSPACE: leaves processes in a sandbox until it is killed
	wardenName   = "warden"   // WORKSPACE TIMES: kills owners and counts what is left
)

// ordinary is a user and group that no host has.
const ordinary = 12345

// baseVariable names the directory of the tests in the process that runs them
// as an ordinary user.
const baseVariable = "CAISSON_ATTACK_BASE"

// place is where the tests work; it lies in no temporary directory.
type place struct {
	base, home, binary string
	repository         string // a git repository with one commit, to copy
}

var here place

func TestMain(m *testing.M) {
	switch os.Args[0] {
	case attackerName:
		os.Exit(attacker(os.Args[1], os.Args[2:]))
	case callerName:
		os.Exit(caller(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]))
	case ownerName:
		os.Exit(owner(os.Args[1]))
	case wardenName:
		os.Exit(warden(os.Args[1], os.Args[2]))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	unix.Umask(0o022)
	parent := os.Getenv(baseVariable)
	if parent == "" {
		parent = "/var"
		if os.Geteuid() != 0 {
			parent, _ = os.UserHomeDir()
		}
	}
	base, err := os.MkdirTemp(parent, "attack")
	if err == nil {
		defer os.RemoveAll(base)
		err = here.fill(base)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func (p *place) fill(base string) error {
	p.base, p.home, p.binary = base, filepath.Join(base, "home"), filepath.Join(base, "attacker")
	if err := os.Chmod(base, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{p.home, p.home + "/.ssh", p.home + "/.ssh/deep", p.home + "/.aws", p.home + "/.gnupg"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	// The home of the host's user is none of the tests' business.
	for _, name := range os.Environ() {
		if name, _, _ = strings.Cut(name, "="); strings.HasPrefix(name, "XDG_") {
			os.Unsetenv(name)
		}
	}
	if err := os.Setenv("HOME", p.home); err != nil {
		return err
	}
	config := "[user]\n\tname = T\n\temail = t@example.org\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n"
	if err := os.WriteFile(p.home+"/.gitconfig", []byte(config), 0o644); err != nil {
		return err
	}
	p.repository = filepath.Join(base, "repository")
	if err := os.Mkdir(p.repository, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(p.repository+"/tracked", []byte("tracked\n"), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "tracked"}, {"commit", "-q", "-m", "one"}} {
		if out, err := exec.Command("git", append([]string{"-C", p.repository}, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w: %s", args[0], err, out)
		}
	}
	return testkit.CopyFile(p.binary, "/proc/self/exe", 0o755)
}

// attacker does one act. Its first line proves that it was executed.
func attacker(id string, args []string) int {
	fmt.Println("acting")
	switch id {
	case "serve":
		return status(serve(args[0]))
	case "survive":
		return status(survive())
	case "persist":
		return status(persist(args[0], args[1]))
	case "leave":
		return status(leave(args[0]))
	case "search":
		return status(search(args[0], len(args) > 1))
	case "race":
		return status(race(args[0], args[1]))
	case "fill":
		return status(fill())
	case "stop":
		return status(stop())
	case "stray":
		return status(stray(args[0]))
	case "block":
		return status(block(args[0], len(args) > 1))
	}
	for _, a := range attacks() {
		if a.id != id {
			continue
		}
		return status(a.act(args))
	}
	fmt.Println("no such act")
	return 2
}

func status(err error) int {
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}
