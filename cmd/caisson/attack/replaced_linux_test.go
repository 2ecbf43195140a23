// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// replacement is a way in which a program outside puts something new where a
// hidden path was, while a sandbox is open.
type replacement struct {
	name string
	path string // in the directory outside; "work/…" is in the workspace
	act  func(name, secret string) error
	link bool // the hidden path is a link to a file beside it
	dies bool // the sandbox is killed
}

func replacements() []replacement {
	over := func(name, secret string) error { // as git-credential-store does
		if err := os.WriteFile(name+".lock", []byte(secret), 0o600); err != nil {
			return err
		}
		return os.Rename(name+".lock", name)
	}
	again := func(name, secret string) error {
		if err := os.Remove(name); err != nil {
			return err
		}
		return os.WriteFile(name, []byte(secret), 0o600)
	}
	aside := func(name, secret string) error { // as an editor that keeps a backup
		if err := os.Rename(name, name+"~"); err != nil {
			return err
		}
		return os.WriteFile(name, []byte(secret), 0o600)
	}
	above := func(name, secret string) error {
		dir := filepath.Dir(name)
		if err := os.Rename(dir, dir+".old"); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		return os.WriteFile(name, []byte(secret), 0o600)
	}
	return []replacement{
		{name: "renamed over", path: "key", act: over},
		{name: "removed and made", path: "key", act: again},
		{name: "moved aside and made", path: "key", act: aside},
		{name: "of the workspace, renamed over", path: "work/key", act: over},
		{name: "of the workspace, removed and made", path: "work/key", act: again},
		{name: "directory above replaced", path: "sub/deep/key", act: above},
		{name: "directory replaced", path: "dir/key", act: above, dies: true},
		{name: "a link, renamed over", path: "key", act: over, link: true},
		{name: "a link, removed and made", path: "key", act: again, link: true},
		{name: "by a link", path: "key", act: func(name, secret string) error {
			if err := os.WriteFile(name+".real", []byte(secret), 0o600); err != nil {
				return err
			}
			if err := os.Symlink(name+".real", name+".new"); err != nil {
				return err
			}
			return os.Rename(name+".new", name)
		}},
	}
}

// TestHiddenReplaced has a program outside replace what is hidden. What is new
// there is hidden too, or nothing runs in the sandbox any more.
func TestHiddenReplaced(t *testing.T) {
	t.Parallel()
	for _, r := range replacements() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			secret := token("SECRET")
			lay := func() (*world, string) {
				w := newWorld(t)
				name := filepath.Join(w.outside, r.path)
				if in, ok := strings.CutPrefix(r.path, "work/"); ok {
					name = filepath.Join(w.work, in)
				}
				if r.link {
					w.write(name+".target", "old")
					w.must(os.Symlink("key.target", name))
					return w, name
				}
				return w, w.write(name, "old")
			}
			w, name := lay()
			w.must(r.act(name, secret))
			if text := w.plain("hidden/policy", bait{args: []string{name}}); !strings.Contains(text, secret) {
				t.Errorf("the bait is broken: without a sandbox the secret cannot be read: %s", text)
			}
			w, name = lay()
			sb := w.open(func(p *policy.Policy) {
				p.Files.Hide = []string{name}
				if r.dies {
					p.Files.Hide = []string{filepath.Dir(name)}
				}
			})
			if text := w.inside(sb, "hidden/policy", bait{args: []string{name}}); strings.Contains(text, "old") || !acted(text) {
				t.Fatalf("not hidden at the start: %s", text)
			}
			w.must(r.act(name, secret))
			told := false
			for deadline := time.Now().Add(patience); !told && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				told = hasCode(sb.Diagnostics(), diag.HiddenChanged)
			}
			if !told {
				t.Error("the replacement is not reported")
			}
			text := w.inside(sb, "hidden/policy", bait{args: []string{name}})
			if strings.Contains(text, secret) {
				t.Errorf("fs.read.hidden is broken: the attacker knows the secret: %s", text)
			}
			if acted(text) == r.dies {
				t.Errorf("the attacker was executed: %v: %s", acted(text), text)
			}
			cmd := sb.Command(context.Background(), "sh", "-c", `printf x > "$1"`, "sh", name)
			if err := cmd.Run(); err == nil {
				t.Error("what is hidden could be written to")
			}
			if b, err := os.ReadFile(name); err != nil || string(b) != secret {
				t.Errorf("outside it holds %q, %v", b, err)
			}
			w.must(sb.Close())
		})
	}
}
