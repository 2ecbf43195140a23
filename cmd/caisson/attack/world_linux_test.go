// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// world is a workspace and what lies outside of it. Controls have a world of
// their own, so that the harm that they do is nobody else's.
type world struct {
	t             *testing.T
	dir           string
	work, outside string
	made          int
	backend       string // "" is the best
}

// withoutNamespaces is the backend for hosts that give none.
const withoutNamespaces = "linux/landlock"

// openOn opens a sandbox of a backend, without what that cannot uphold here.
func openOn(p policy.Policy, backend string) (*sandbox.Sandbox, error) {
	o := &sandbox.Options{Prefer: backend}
	sb, err := sandbox.Open(context.Background(), p, o)
	if refusal, ok := errors.AsType[*sandbox.Refusal](err); ok && backend == withoutNamespaces {
		for _, u := range refusal.Unmet {
			p.AllowWeaker = append(p.AllowWeaker, u.ID)
		}
		return sandbox.Open(context.Background(), p, o)
	}
	return sb, err
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp(here.base, "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(t, dir) })
	w := &world{t: t, dir: dir, work: dir + "/work", outside: dir + "/outside"}
	for _, d := range []string{w.work, w.outside, w.work + "/vendor", w.outside + "/hidden"} {
		w.must(os.Mkdir(d, 0o755))
	}
	return w
}

// repository makes the workspace a git repository with one commit.
func (w *world) repository() {
	w.t.Helper()
	w.must(os.CopyFS(w.work, os.DirFS(here.repository)))
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fresh names something new outside.
func (w *world) fresh() string {
	w.made++
	return fmt.Sprintf("%s/%d", w.outside, w.made)
}

// file makes a file outside, in a directory of its own.
func (w *world) file(content string) (name string) {
	w.t.Helper()
	dir := w.fresh()
	w.must(os.Mkdir(dir, 0o755))
	name = dir + "/victim"
	w.must(os.WriteFile(name, []byte(content), 0o644))
	_ = unix.Setxattr(name, "user.keep", []byte("1"), 0) // those who need it say that the bait is broken
	return name
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(name), 0o755))
	w.must(os.WriteFile(name, []byte(content), 0o644))
	return name
}

// policy is the standard one with one rule of each kind.
func (w *world) policy() policy.Policy {
	p := policy.Standard(w.work)
	p.Files.Protect = []string{w.work + "/vendor"}
	p.Files.Hide = []string{w.outside + "/hidden"}
	return p
}

func (w *world) open(change ...func(*policy.Policy)) *sandbox.Sandbox {
	w.t.Helper()
	p := w.policy()
	for _, c := range change {
		c(&p)
	}
	sb, err := openOn(p, w.backend)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return sb
}

const patience = 20 * time.Second

// plain runs an act as an ordinary child and returns its output.
func (w *world) plain(id string, b bait) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, here.binary)
	cmd.Args = append([]string{attackerName, id}, b.args...)
	cmd.Dir = w.work
	cmd.WaitDelay = time.Second
	if b.stdin != nil {
		cmd.Stdin = b.stdin
	}
	out, err := cmd.CombinedOutput()
	return said(out, err)
}

// inside runs an act in a sandbox.
func (w *world) inside(sb *sandbox.Sandbox, id string, b bait) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := sb.Command(ctx, here.binary)
	cmd.Args = append([]string{attackerName, id}, b.args...)
	cmd.Dir = w.work
	cmd.WaitDelay = time.Second
	if b.stdin != nil {
		cmd.Stdin = b.stdin
	}
	out, err := cmd.CombinedOutput()
	return said(out, err)
}

func said(out []byte, err error) string {
	text := strings.TrimSpace(string(out))
	if err != nil {
		text += fmt.Sprintf(" (%v)", err)
	}
	return text
}

// acted reports whether the attacker was executed at all.
func acted(said string) bool { return strings.HasPrefix(said, "acting") }

func removeAll(t *testing.T, dir string) {
	t.Helper()
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(name, 0o700) // RemoveAll below tells
		}
		return nil
	})
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// tree describes everything about a tree that an act could change, but the
// times of reading.
func tree(root string) string {
	var b strings.Builder
	_ = filepath.WalkDir(root, func(name string, _ os.DirEntry, err error) error {
		var st unix.Stat_t
		if e := unix.Lstat(name, &st); e != nil || err != nil {
			fmt.Fprintln(&b, name, e, err)
			return nil
		}
		fmt.Fprintf(&b, "%s %o %d:%d size %d links %d mtime %d.%d ctime %d.%d", name, st.Mode, st.Uid, st.Gid, st.Size, st.Nlink,
			st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			text, err := os.ReadFile(name)
			fmt.Fprintf(&b, " %q %v", text, err)
		case unix.S_IFLNK:
			to, err := os.Readlink(name)
			fmt.Fprintf(&b, " -> %s %v", to, err)
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String()
}
