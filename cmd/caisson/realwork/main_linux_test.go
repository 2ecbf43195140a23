// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/cmd/internal/cli"
	"github.com/caisson-sandbox/caisson/cmd/internal/testkit"
)

// ordinary is a user and group that no host has.
const ordinary = 12345

// baseVariable names the directory of the tests in the process that runs them
// as an ordinary user.
const baseVariable = "CAISSON_REALWORK_BASE"

// host is what all tests share, set before the first one.
type host struct {
	base    string // holds all that the tests make; not below a temporary directory
	home    string
	caisson string // the executable of these tests under the name that makes it the command
	env     []string
}

var shared host

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "caisson" {
		os.Exit(cli.Main(os.Args[1:]))
	}
	hearAll()
	os.Exit(run(m))
}

// hearAll lets children get the signals that this process was started without,
// as by nohup(1): what is caught here has its default in them.
func hearAll() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

func run(m *testing.M) int {
	syscall.Umask(0o022)
	base, err := makeBase()
	if err == nil {
		defer os.RemoveAll(base)
		err = shared.fill(base)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if out, err := shared.command("caisson", "doctor", "--facts-only").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "SKIPPED: this host cannot uphold the standard contract: %v\n%s", err, out)
		return 0
	}
	return m.Run()
}

func makeBase() (string, error) {
	parent := os.Getenv(baseVariable)
	if parent == "" {
		parent = "/home"
		if os.Geteuid() != 0 {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", err
			}
			parent = home
		}
	}
	dir, err := os.MkdirTemp(parent, "realwork")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

func (h *host) fill(base string) error {
	h.base, h.home, h.caisson = base, filepath.Join(base, "home"), filepath.Join(base, "bin", "caisson")
	for _, dir := range []string{h.home, filepath.Dir(h.caisson)} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	h.env = []string{
		"HOME=" + h.home, "PATH=" + filepath.Dir(h.caisson) + ":" + os.Getenv("PATH"),
		"LC_ALL=C.UTF-8", "TERM=xterm-256color", "SHELL=/bin/bash", "USER=tester",
		"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000",
		"PYTHONDONTWRITEBYTECODE=1", "EDITOR=true",
	}
	// A cold cache would have the standard library built: see row.warm.
	cache := filepath.Join(base, "gocache")
	if out, err := exec.Command("go", "env", "GOCACHE").Output(); err == nil && os.Getenv(baseVariable) == "" {
		cache = strings.TrimSpace(string(out))
	}
	h.env = append(h.env, "GOCACHE="+cache)
	config := "[user]\n\tname = Tester\n\temail = tester@example.org\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[protocol \"file\"]\n\tallow = always\n"
	if err := os.WriteFile(filepath.Join(h.home, ".gitconfig"), []byte(config), 0o644); err != nil {
		return err
	}
	return testkit.CopyFile(h.caisson, "/proc/self/exe", 0o755)
}

// command prepares a command in the environment of the tests.
func (h *host) command(name string, arg ...string) *exec.Cmd {
	if name == "caisson" {
		name = h.caisson
	}
	cmd := exec.Command(name, arg...)
	cmd.Env = h.env
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// workspace makes an empty directory that goes with the test.
func (h *host) workspace(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(h.base, "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(t, dir) })
	return dir
}

// removeAll removes a tree that may hold directories without write permission.
func removeAll(t *testing.T, dir string) {
	t.Helper()
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(name, 0o700) // RemoveAll below tells
		}
		return nil
	})
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// TestAsOrdinaryUser runs all other tests without privileges, in a process of
// their own: a copy of this executable that anybody may run.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user already")
	}
	dir := filepath.Join(shared.base, "ordinary")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, ordinary, ordinary); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(shared.base, "bin", "caisson"))
	cmd.Args = []string{
		"realwork.test", "-test.v=" + strconv.FormatBool(testing.Verbose()), "-test.short=" + strconv.FormatBool(testing.Short()),
		"-test.skip=^TestAsOrdinaryUser$",
	}
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, baseVariable + "=" + dir}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as an ordinary user: %v", err)
	}
	t.Logf("as an ordinary user:\n%s", strings.ReplaceAll(string(out), "\n", "\n| "))
}
