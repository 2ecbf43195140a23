// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestStreams(t *testing.T) {
	t.Parallel()
	runRows(t, []row{
		{name: "closed", outer: `
			$BOX sh -c 'read x || echo no input; echo out; exit 3' <&- || echo $?
			$BOX sh -c 'echo out 2>/dev/null; echo err >&2; exit 4' >&- || echo $?
			$BOX sh -c 'echo err >&2; exit 5' 2>&- || echo $?
			$BOX sh -c 'exit 6' <&- >&- 2>&- || echo $?
			$BOX sh -c 'ls /proc/self/fd | wc -l' <&- | grep -c .`},
		{name: "pipelines", outer: `
			seq 1000 | $BOX grep 7 | $BOX sort -r | $BOX head -n 3 | cat
			seq 100000 | $BOX cat | head -n 1
			set +e; $BOX yes | head -n 1; echo "${PIPESTATUS[@]}"; $BOX false | $BOX true; echo "${PIPESTATUS[@]}"
			x=$($BOX sh -c 'echo captured; echo not >&2' 2>/dev/null); echo "[$x]"
			while read n; do $BOX sh -c "echo $n; cat >/dev/null" </dev/null; done < <(seq 3)
			$BOX cat <<<'here'; $BOX cat /dev/stdin <<<'by name'; $BOX sh -c 'echo named >/dev/stdout' | cat`},
		{name: "offset handed back", setup: "seq 1000 >f", outer: `
			{ $BOX head -n 1; cat; } <f | md5sum
			{ read a; $BOX sh -c 'read b; echo $b'; read c; echo $a $c; } <f
			{ $BOX true; head -n 1; } <f; { $BOX cat >/dev/null; cat; } <f | wc -c`},
		{name: "one file for all output", outer: `
			$BOX sh -c 'for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done' >log 2>&1; cat log
			$BOX sh -c 'echo more' >>log; { echo first; $BOX echo second; echo third; } >order; cat order; wc -l <log
			echo 'longer than that' >f; $BOX sh -c 'echo x' 1<>f; cat f; $BOX sh -c 'printf y >&2' 2>>f; cat f`},
		{name: "input that is hidden inside", setup: `mkdir -p "$HOME/.ssh"; seq 100 >"$HOME/.ssh/id_$$"; mv "$HOME/.ssh/id_$$" "$HOME/.ssh/id_rsa"`, outer: `
			$BOX sh -c 'cat "$HOME/.ssh/id_rsa" 2>/dev/null | wc -l >/dev/null; md5sum' <"$HOME/.ssh/id_rsa"
			{ $BOX head -n 1; } <"$HOME/.ssh/id_rsa"; t=$(mktemp); seq 5 >$t; $BOX cat <$t; rm $t`},
		{name: "descriptors", outer: `
			$BOX sh -c 'test -p /dev/stdin && echo pipe' < <(:); $BOX sh -c 'test -c /dev/stdin && echo device' </dev/null
			$BOX sh -c 'test -f /dev/stdin && echo file' </etc/hostname; $BOX sh -c 'echo >/dev/full' 2>/dev/null || echo full; $BOX head -c 4 /dev/zero | od -c; $BOX head -c 4 /dev/urandom | wc -c`},
	})
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	const work = `echo x >f; mkdir -p d; mv f d/g; ln -s d/g l; cat l; pwd -P; git init -q r 2>/dev/null; rm -rf r`
	enter := func(dir string) string { return dir + "\n$BOX bash -ec '" + work + "'" }
	runRows(t, []row{
		{name: "through a link", setup: "mkdir real; ln -s real link", outer: enter("cd link") + "\npwd\nfind real | sort\n$BOX sh -c 'pwd; echo $PWD'"},
		{name: "below /tmp", outer: enter(`d=/tmp/realwork-$UID; rm -rf $d; mkdir $d; cd $d`) + "\nfind . | sort; cd /; rm -r $d"},
		{name: "below /var/tmp", outer: enter(`d=/var/tmp/realwork-$UID; rm -rf $d; mkdir $d; cd $d`) + "\nfind . | sort; cd /; rm -r $d"},
		{name: "deep", outer: enter(`mkdir -p $(printf 'deep/%.0s' $(seq 150)); cd $(printf 'deep/%.0s' $(seq 150))`) + "\nfind . | sort"},
		{name: "odd names", outer: enter(`d=$'a b\nc\t"\\ ä 🙂'; mkdir "$d"; cd "$d"`) + "\nfind . | sort; $BOX sh -c pwd"},
		{name: "a subdirectory of a repository", needs: []string{"git"}, setup: repository, outer: `
			cd sub; $BOX sh -c 'git log --oneline; echo x >new; git status --short; git rev-parse --show-prefix'; $BOX sh -c 'echo x 2>/dev/null >../outside' || echo refused >/dev/null; rm -f ../outside`},
		{name: "a linked worktree", needs: []string{"git"}, setup: `cd "$ELSE";` + repository + `rmdir "$OLDPWD"; git worktree add -q "$OLDPWD" topic`, steps: []string{
			"git status -b --short; echo x >>d; git commit -qam linked; git log --oneline; git switch -qc next; git stash list; git branch -v; git gc -q",
		}, check: `git fsck 2>&1; git status -b --short; cd "$ELSE"; git log --all --oneline; git worktree list`},
		{name: "read only files", setup: "mkdir d; echo x >d/f; chmod 444 d/f; chmod 555 d", steps: []string{
			"cat d/f; ls -l d/f | cut -c1-10; test $(id -u) = 0 || { echo y >d/f || echo refused; rm d/f || echo refused; }; chmod 755 d; chmod 644 d/f; echo y >d/f; rm -r d",
		}, mask: []string{`bash: line 1: `}},
		{name: "users and host", steps: []string{"id -u; id -g; id -un 2>/dev/null || echo nobody; hostname; uname -srm; nproc; umask; pwd; ls -ld . | cut -c1-10; getent passwd root; date +%Z; ulimit -n; ulimit -Sn; echo $SHLVL"}},
	})
}

// TestMounts works where a directory of the workspace is a mount, and in a
// workspace that is one.
func TestMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	for _, c := range []struct {
		name, source, kind, at string
		flags                  uintptr
	}{
		{"bind mount inside", "other", "", "work/mnt", syscall.MS_BIND},
		{"file system inside", "tmpfs", "tmpfs", "work/mnt", 0},
		{"tmpfs as the workspace", "tmpfs", "tmpfs", "work", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shared.workspace(t)
			for _, d := range []string{"work", "work/mnt", "other"} {
				if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			at := filepath.Join(dir, c.at)
			if err := syscall.Mount(filepath.Join(dir, c.source), at, c.kind, c.flags, ""); err != nil {
				t.Skip("SKIPPED: this host does not let root mount: ", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			var r row
			status, out := r.bash(t, filepath.Join(dir, "work"), shared.env, []string{shared.caisson, "run", "--"},
				"mkdir -p mnt/d; echo x >mnt/f; mv mnt/f mnt/d; echo y >g; find . -name f")
			data, err := os.ReadFile(filepath.Join(dir, "work", "mnt", "d", "f"))
			if status != 0 || err != nil || string(data) != "x\n" {
				t.Errorf("status %d, %q, %v\n%s", status, data, err, out)
			}
		})
	}
}

// TestSharedMemoryIsNoWorkspace wants a refusal that names the directory:
// /dev is the sandbox's own, so what is below it would not be the host's.
func TestSharedMemoryIsNoWorkspace(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/dev/shm", "realwork")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var r row
	status, out := r.bash(t, dir, shared.env, []string{shared.caisson, "run", "--"}, "true")
	if status != 125 || !strings.Contains(out, dir) || !strings.Contains(out, "name another directory") {
		t.Errorf("status %d\n%s", status, out)
	}
}
