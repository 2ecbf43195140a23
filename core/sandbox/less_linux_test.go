// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// lessCase is one script that is run by a command with less than its sandbox and
// by one that has all.
type lessCase struct {
	name   string
	script string
}

// say runs a script and returns what it wrote; its status does not count.
func say(t *testing.T, sb *sandbox.Sandbox, dir, script string, change func(*sandbox.Cmd)) string {
	t.Helper()
	cmd := sb.Command(t.Context(), "sh", "-c", script)
	cmd.Dir = dir
	if change != nil {
		change(cmd)
	}
	out, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*sandbox.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestLess attacks what is taken from one command. Each script says "did" where
// it came through; without the restriction all of them do.
func TestLess(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, nil, nil)
	readOnly := func(c *sandbox.Cmd) { c.ReadOnly = true }
	protect := func(c *sandbox.Cmd) { c.Protect = []string{"a/b/kept", filepath.Join(dir, "tree")} }
	hide := func(c *sandbox.Cmd) { c.Hide = []string{"a/b/secret", "vault"} }
	const did = " 2>/dev/null && echo did"
	// another finds a command that nothing was taken from.
	const another = `p=$(grep -lx sleep /proc/[0-9]*/comm 2>/dev/null | head -n 1); p=${p%/comm}; `
	for name, group := range map[string]struct {
		less  func(*sandbox.Cmd)
		cases []lessCase
	}{
		"read-only": {readOnly, []lessCase{
			{"write", `echo x > new` + did},
			{"append", `echo x >> a/b/kept` + did},
			{"remove", `rm -f a/b/kept` + did},
			{"move", `mv a elsewhere` + did},
			{"make a directory", `mkdir d` + did},
			{"child", `sh -c 'sh -c "echo x > new"'` + did},
			{"background", `(setsid sh -c 'echo x > new && echo did' 2>/dev/null & wait)`},
			{"unmount", `umount . 2>/dev/null; mount -o remount,bind,rw . 2>/dev/null; mount --bind /tmp . 2>/dev/null; echo x > new` + did},
			{"namespaces of its own", `unshare -rm sh -c "umount $PWD; mount -o remount,bind,rw $PWD; echo x > $PWD/new" 2>/dev/null; echo x > new` + did},
			{"times", `touch -d @1 a/b/kept` + did},
			{"mode", `chmod 600 a/b/kept` + did},
			{"root of another command", another + `cd $p/root/"$PWD" && echo x > new` + did},
			{"directory of another command", another + `cd $p/cwd/. && echo x > new` + did},
		}},
		"protect": {protect, []lessCase{
			{"write", `echo x > a/b/kept` + did},
			{"rename over", `echo x > y; mv y a/b/kept` + did},
			{"rename away", `mv a/b/kept a/b/gone` + did},
			{"rename what leads to it", `mv a elsewhere` + did},
			{"rename what is right above", `mv a/b a/c` + did},
			{"remove", `rm -f a/b/kept` + did},
			{"below", `echo x > tree/deep/file` + did},
			{"add below", `mkdir tree/new` + did},
			{"unmount", `umount a/b/kept 2>/dev/null; umount -l tree 2>/dev/null; echo x > a/b/kept` + did},
			{"rename a tree", `mv tree elsewhere` + did},
			{"another name", `ln a/b/kept again` + did},
			{"root of another command", another + `echo x > $p/root/"$PWD"/a/b/kept` + did},
		}},
		"hide": {hide, []lessCase{
			{"read", `grep -q hidden a/b/secret` + did},
			{"list", `ls vault | grep -q key` + did},
			{"read below", `grep -q hidden vault/key` + did},
			{"unmount", `umount -l vault 2>/dev/null; unshare -rm umount -l "$PWD"/vault 2>/dev/null; ls vault | grep -q key` + did},
			{"rename", `mv vault elsewhere` + did},
			{"rename what leads to it", `mv a elsewhere && grep -q hidden elsewhere/b/secret` + did},
			{"another name", `ln a/b/secret again && grep -q hidden again` + did},
			{"root of another command", another + `grep -q hidden $p/root/"$PWD"/vault/key` + did},
			{"descriptor of another command", another + `grep -q hidden $p/fd/9` + did},
		}},
	} {
		for _, c := range group.cases {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				for _, tight := range []bool{true, false} {
					if err := clean(dir); err != nil {
						t.Fatal(err)
					}
					write(t, filepath.Join(dir, "a/b/kept"), "as it was")
					write(t, filepath.Join(dir, "a/b/secret"), "hidden")
					write(t, filepath.Join(dir, "tree/deep/file"), "as it was")
					write(t, filepath.Join(dir, "vault/key"), "hidden")
					sleeper := sb.Command(t.Context(), "sh", "-c", "exec 9<a/b/secret; echo; exec sleep 1000")
					sleeper.Dir = dir
					ready, err := sleeper.StdoutPipe()
					if err != nil {
						t.Fatal(err)
					}
					if err := sleeper.Start(); err != nil {
						t.Fatal(err)
					}
					if _, err := ready.Read(make([]byte, 1)); err != nil {
						t.Fatal(err)
					}
					change := group.less
					if !tight {
						change = nil
					}
					// the shell that wrote the line may not have become sleep yet
					script := `until grep -qx sleep /proc/[0-9]*/comm 2>/dev/null; do :; done; ` + c.script
					if out := say(t, sb, dir, script, change); (out == "did") == tight {
						t.Errorf("restricted %v: %q", tight, out)
					}
					if kept, err := os.ReadFile(filepath.Join(dir, "a/b/kept")); tight && name != "hide" && (err != nil || string(kept) != "as it was") {
						t.Errorf("it holds %q, %v", kept, err)
					}
					_ = sleeper.Signal(9)
					_ = sleeper.Wait() // killed
				}
			})
		}
	}
}

// clean empties a directory.
func clean(dir string) error {
	list, err := os.ReadDir(dir)
	for _, e := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// TestLessStays: temporary directories stay writable, devices, signals and what
// else a command does, and the sandbox is as it was afterwards.
func TestLessStays(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, nil, nil)
	write(t, filepath.Join(dir, "secret"), "hidden")
	all := func(c *sandbox.Cmd) {
		c.ReadOnly, c.Hide, c.Protect = true, []string{"secret"}, []string{"secret", "."}
	}
	for script, want := range map[string]string{
		`echo one > /tmp/less && cat /tmp/less`:                                               "one",
		`d=$(mktemp -d) && mkdir $d/a $d/b && echo 2 >$d/a/x && mv $d/a/x $d/b && cat $d/b/x`: "2",
		`ln -s x /tmp/link && echo three > /dev/null && echo $((1+2))`:                        "3",
		`sleep 1000 & kill $!; wait; echo four`:                                               "four",
		`cat /proc/self/comm; test -w /dev/shm && echo yes`:                                   "cat\nyes",
	} {
		if out := say(t, sb, dir, script, all); out != want {
			t.Errorf("%s: %q", script, out)
		}
	}
	if out := say(t, sb, dir, "cat secret; echo ' again' >> secret; cat secret", nil); out != "hiddenhidden again" {
		t.Errorf("the next command has %q", out)
	}
}

// TestLessSide: commands with and without run side by side, each by its own.
func TestLessSide(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, nil, nil)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			cmd := sb.Command(t.Context(), "sh", "-c", fmt.Sprintf("sleep 0.05; echo x > f%d", i))
			cmd.Dir, cmd.ReadOnly = dir, i%2 == 0
			err := cmd.Run()
			if _, ok := errors.AsType[*sandbox.ExitError](err); ok != cmd.ReadOnly || err != nil && !ok {
				t.Errorf("%d: %v", i, err)
			}
			if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("f%d", i))); (err == nil) == cmd.ReadOnly {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// TestLessFollows: what the policy hides is hidden again in the mounts of a
// command with less too, when something outside replaces it.
func TestLessFollows(t *testing.T) {
	t.Parallel()
	var secret string
	sb, dir := open(t, func(p *policy.Policy) {
		secret = filepath.Join(p.Workspace[0], "sub/policy-secret")
		write(t, secret, "hidden")
		p.Files.Hide = append(p.Files.Hide, secret)
	}, nil)
	cmd := sb.Command(t.Context(), "sh", "-c", "echo; read x; cat sub/policy-secret 2>&1")
	cmd.Dir, cmd.ReadOnly, cmd.Protect = dir, true, []string{"sub/kept"} // sub becomes a mount
	write(t, filepath.Join(dir, "sub/kept"), "")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	write(t, secret+".new", "hidden too")
	if err := os.Rename(secret+".new", secret); err != nil {
		t.Fatal(err)
	}
	for covered := false; !covered; { // seen by a command with all
		covered = !strings.Contains(say(t, sb, dir, "cat sub/policy-secret", nil), "hidden")
	}
	if _, err := io.WriteString(in, "\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil || strings.Contains(string(text), "hidden") || !strings.Contains(string(text), "sub/policy-secret") {
		t.Errorf("%q, %v", text, err)
	}
	_ = cmd.Wait() // cat failed
}

// TestLessRefused: a path that cannot be held is refused before anything is
// executed.
func TestLessRefused(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, nil, nil)
	write(t, filepath.Join(dir, "there"), "")
	if err := os.Symlink("there", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "around")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"absent": "does not exist", "there/below": "does not exist", "link": "symbolic link", "/": "no path below /", "": "no path below /",
		"there": "", "around/there": "", "./../" + filepath.Base(dir) + "/there": "",
	} {
		for _, hide := range []bool{true, false} {
			cmd := sb.Command(t.Context(), "touch", "ran")
			cmd.Dir = dir
			if hide {
				cmd.Hide = []string{name}
			} else {
				cmd.Protect = []string{name}
			}
			err := cmd.Run()
			d, ok := errors.AsType[*diag.Diagnostic](err)
			if want == "" && err != nil || want != "" && (!ok || d.Code != diag.LessInvalid || !strings.Contains(d.Message, want)) {
				t.Errorf("%s: %v", name, err)
			}
			if err := os.Remove(filepath.Join(dir, "ran")); (err == nil) != (want == "") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
