// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/backends/linux"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/launch"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The tests of this file execute plans. A package may not do that (backends
// plan, core/launch executes), its tests must: a plan that is right on paper
// can be wrong in the kernel.

// actor is the variable by which the test binary, run again as another user or
// in a mount namespace of its own, knows which function to run.
const actor = "CAISSON_TEST_ACTOR"

func TestMain(m *testing.M) {
	if name := os.Getenv(actor); name != "" {
		if err := actors()[name](); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("acted")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func actors() map[string]func() error {
	return map[string]func() error{
		"checkout": checkout, "tmp": tmpDir, "links": links, "aliases": aliased, "devices": devices, "nested": nested, "probe": probeInside,
	}
}

// act runs an actor in a process of its own. uid -1 keeps the caller's.
func act(t *testing.T, name string, uid int, flags uintptr) {
	t.Helper()
	dir := outOfTemp(t)
	program := filepath.Join(dir, "actor")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied(t, self, program)
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Dir = home
	cmd.Env = []string{actor + "=" + name, "HOME=" + home, "PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: flags}
	if uid >= 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
		if err := errors.Join(os.Chown(home, uid, uid), os.Chmod(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := cmd.CombinedOutput()
	if strings.HasPrefix(string(out), "SKIP") {
		t.Skip(string(out))
	}
	if err != nil || !strings.HasSuffix(string(out), "acted\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// outOfTemp makes a directory that is not below /tmp, which a sandbox replaces:
// there everything would be hidden, for the wrong reason.
func outOfTemp(t *testing.T) string {
	t.Helper()
	for _, base := range []string{"/srv", "/opt", "/home", "."} {
		dir, err := os.MkdirTemp(base, "caisson-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
		if dir, err = filepath.Abs(dir); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	t.Fatal("no directory can be made in /srv, /opt, /home or here")
	return ""
}

func copied(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"checkout", "links", "tmp", "nested"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			act(t, name, -1, 0)
		})
		t.Run(name+" as an ordinary user", func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 {
				t.Skip("SKIP: this is an ordinary user already")
			}
			act(t, name, 12345, 0)
		})
	}
	for _, name := range []string{"aliases", "devices"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 {
				t.Skip("SKIP: only root can mount what this test needs")
			}
			act(t, name, -1, unix.CLONE_NEWNS)
		})
	}
}

// box is a sandbox that was made for an actor.
type box struct {
	*launch.Sandbox
	dir string
}

// open resolves a policy for this host and makes its sandbox.
func open(p policy.Policy) (*box, error) {
	host := policy.OSHost()
	r, _, err := p.Resolve(host)
	if err != nil {
		return nil, err
	}
	if dir := r.CacheDir(); dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	state := host.OwnDirs().State
	b := linux.New(linux.Options{Try: launch.Try, StateDir: state})
	report, err := b.Probe(context.Background())
	if err != nil {
		return nil, err
	}
	if !report.Usable {
		fmt.Println("SKIP: no sandbox can be made here:", report.Unmet[0].Reason)
		os.Exit(0)
	}
	made, err := b.Prepare(context.Background(), backend.Request{Policy: r, Facts: report.Facts})
	if err != nil {
		return nil, err
	}
	if len(made.Unmet) > 0 {
		return nil, fmt.Errorf("unmet: %+v", made.Unmet)
	}
	s, err := launch.Open(context.Background(), made, launch.Options{StateDir: state, Report: func(d diag.Diagnostic) { fmt.Println(d) }})
	if err != nil {
		return nil, err
	}
	return &box{s, r.Workspace()[0]}, nil
}

// scriptStart defines deny, which fails the script if a command succeeds; a
// "!" before it would not.
const scriptStart = `deny() { if (eval "$1") >/dev/null 2>&1; then echo "done: $1"; exit 1; fi; }; `

// sh runs a script inside; every command of it must succeed. It returns what
// the script wrote.
func (b *box) sh(script string, env ...string) (string, error) {
	in, err := os.Open("/dev/null")
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.CreateTemp("", "out")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	p, err := b.Start(context.Background(), launch.Command{
		Path: "/bin/sh", Args: []string{"sh", "-euc", scriptStart + script}, Dir: b.dir, Files: []*os.File{in, out, out},
		Env: append([]string{"PATH=/usr/bin:/bin"}, env...),
	})
	if err != nil {
		return "", err
	}
	st, err := p.Wait()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(out.Name())
	if st.Wait.ExitStatus() != 0 {
		return string(text), fmt.Errorf("%s\nended with %d and wrote\n%s", script, st.Wait.ExitStatus(), text)
	}
	return string(text), err
}

// within opens a sandbox, runs the scripts in it one by one and closes it.
func within(p policy.Policy, scripts ...string) error {
	b, err := open(p)
	if err != nil {
		return err
	}
	for _, script := range scripts {
		if _, err := b.sh(script); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return b.Close()
}

// files makes files and the directories that they are in.
func files(names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(filepath.Base(name)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func checkout() error {
	if err := files("ws/.git/config", "ws/.git/hooks/pre-commit", "ws/.git/HEAD", "ws/a/b", ".netrc", ".ssh/id", "other"); err != nil {
		return err
	}
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	return within(policy.Standard("ws"),
		"echo x > f; mkdir d; mv f d/g; mv d e; rm e/g; rmdir e; echo x > .git/index",
		"deny 'echo x > .git/config'; deny 'rm .git/config'; deny 'mv .git g'; deny 'echo x > .git/hooks/x'; deny 'mv .git/hooks h'; deny 'mkdir .mcp.json/x'; deny 'rmdir .mcp.json'; deny 'ln .git/config c'",
		"cd "+home+"; deny 'echo x > other'; deny 'echo x > new'; deny 'chmod 600 other'; deny 'touch other'; deny 'cat .netrc'; deny 'ls .ssh'; deny 'cat .ssh/id'; cat other",
		"echo x > /tmp/x; echo x > /var/tmp/x; echo x > /dev/shm/x; deny 'ls /tmp/out*'; deny 'echo x > /run/x'; deny 'echo x > /dev/x'; deny 'echo x > /proc/sys/kernel/domainname'",
		"test $(ls /proc | grep -c '^[0-9]*$') -lt 6; deny 'ls /dev/mem'; echo x > /dev/null; deny 'chmod 600 /dev/null'",
		"test -d "+home+"/.local/state/caisson; deny 'ls "+home+"/.local/state/caisson/trial'; test -w "+home+"/.local/state/caisson/caches/*",
	)
}

// links hides and protects symbolic links, and what they lead to.
func links() error {
	if err := files("ws/real/f", "elsewhere/key"); err != nil {
		return err
	}
	if err := errors.Join(os.Symlink("real", "ws/link"), os.Symlink("elsewhere", "secret")); err != nil {
		return err
	}
	p := policy.Standard("ws")
	p.Files.Protect = []string{"ws/link"}
	p.Files.Hide = []string{"secret"}
	return within(p,
		"deny 'rm link'; deny 'mv link l'; deny 'ln -sfn /etc link'; deny 'echo x > link/f'; deny 'echo x > real/f'; deny 'mv real r'; cat link/f",
		"cd ..; deny 'cat secret/key'; deny 'ls secret/'; deny 'cat elsewhere/key'; deny 'ls elsewhere'",
	)
}

func tmpDir() error {
	if err := files("ws/f", "scratch/before"); err != nil {
		return err
	}
	p := policy.Standard("ws")
	tmp, err := filepath.Abs("scratch")
	if err != nil {
		return err
	}
	p.Tmp = tmp
	if err := within(p, "cat "+tmp+"/before; echo x > "+tmp+"/after"); err != nil {
		return err
	}
	_, err = os.Stat("scratch/after")
	return err
}

// aliased hides and protects what has other names by bind mounts.
func aliased() error {
	if err := files("ws/.git/config", "ws/x", "secret/key", "secret/deep/key2", "mirror/x", "one", "part/x", "all/x"); err != nil {
		return err
	}
	for _, m := range [][2]string{{"ws", "mirror"}, {"secret/key", "one"}, {"secret/deep", "part"}, {".", "all"}} {
		if err := unix.Mount(m[0], m[1], "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", m[1], err)
		}
	}
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	p := policy.Standard("ws")
	p.Workspace = append(p.Workspace, home+"/mirror")
	p.Files.Hide = []string{home + "/secret"}
	return within(p,
		"cd "+home+"; deny 'cat one'; deny 'ls part'; deny 'cat part/key2'; deny 'ls all/secret'; deny 'cat all/secret/key'; deny 'cat secret/key'; cat all/ws/x",
		"cd "+home+"; echo x > ws/x; echo x > mirror/x; deny 'echo x > ws/.git/config'; deny 'echo x > mirror/.git/config'; deny 'mv mirror/.git g'; deny 'rmdir mirror/.mcp.json'; deny 'echo x > all/ws/x'",
	)
}

// devices leaves devices in places where none belong.
func devices() error {
	if err := files("ws/f", "dev/f"); err != nil {
		return err
	}
	if err := unix.Mount("t", "dev", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	for _, name := range []string{"ws/null", "dev/null"} {
		if err := unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
			return fmt.Errorf("mknod: %w", err)
		}
	}
	if err := os.Chmod("dev/null", 0o666); err != nil {
		return err
	}
	if _, err := os.ReadFile("dev/null"); err != nil {
		return fmt.Errorf("the device cannot be used outside: %w", err)
	}
	return within(policy.Standard("ws"), "deny 'cat null'; deny 'cat ../dev/null'; cat /dev/null; deny 'mknod c c 1 3'")
}

// nested asks the probe from inside a sandbox.
func nested() error {
	if err := files("ws/f"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	if err := os.WriteFile("ws/actor", data, 0o755); err != nil {
		return err
	}
	b, err := open(policy.Standard("ws"))
	if err != nil {
		return err
	}
	_, err = b.sh("./actor", actor+"=probe")
	return errors.Join(err, b.Close())
}

// probeInside is the part of nested that runs inside.
func probeInside() error {
	report, err := linux.New(linux.Options{Try: launch.Try}).Probe(context.Background())
	if err != nil {
		return err
	}
	var f linux.Facts
	if err := json.Unmarshal(report.Facts, &f); err != nil {
		return err
	}
	if !f.Nested || report.Usable {
		return fmt.Errorf("nested: %v, usable: %v", f.Nested, report.Usable)
	}
	return nil
}
