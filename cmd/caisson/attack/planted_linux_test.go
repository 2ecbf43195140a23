// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// planted is a policy that names a place in the workspace, and a command that
// puts a link there in one run for the next run to follow.
type planted struct {
	name   string
	pinned bool                                  // commands cannot move what is named
	lay    func(*world)                          // before all runs
	policy func(*world, string) sources          // that names a path
	named  string                                // the path, in the workspace
	target func(*world) string                   // what the link leads to
	act    func(*world, *sandbox.Sandbox) string // uses the named place
	harm   func(*world, string) string           // judged outside
}

// sources makes the policy of one run anew, as each invocation does.
type sources func() (policy.Policy, error)

// flags is the policy of a caller that changes the standard one.
func flags(w *world, change func(*policy.Policy)) sources {
	return func() (policy.Policy, error) {
		p := w.policy()
		change(&p)
		return p, nil
	}
}

// shell is an act of a shell in the workspace.
func shell(script string) func(*world, *sandbox.Sandbox) string {
	return func(w *world, sb *sandbox.Sandbox) string {
		cmd := sb.Command(context.Background(), "sh", "-c", script)
		cmd.Dir = w.work
		out, err := cmd.CombinedOutput()
		return said(out, err)
	}
}

// made is the harm of a file that appears.
func made(name func(*world) string) func(*world, string) string {
	return func(w *world, _ string) string {
		if _, err := os.Lstat(name(w)); err == nil {
			return name(w) + " was made"
		}
		return ""
	}
}

func plantedLinks() []planted {
	victim := func(w *world) string { return w.outside + "/victim" }
	pwned := made(func(w *world) string { return w.outside + "/victim/PWNED" })
	dirs := func(name string) func(*world) {
		return func(w *world) {
			w.must(os.Mkdir(w.work+"/"+name, 0o755))
			w.must(os.Mkdir(w.outside+"/victim", 0o755))
		}
	}
	secret := token("SECRET")
	var reached atomic.Int32
	return []planted{
		{
			name: "tmp", lay: dirs(".tmp"), named: ".tmp", target: victim, harm: pwned,
			policy: func(w *world, path string) sources { return flags(w, func(p *policy.Policy) { p.Tmp = path }) },
			act:    shell("echo x > /tmp/PWNED; echo x > $TMPDIR/PWNED; echo x > .tmp/PWNED"),
		},
		{
			name: "write", lay: dirs("sub"), named: "sub", target: victim, harm: pwned,
			policy: func(w *world, path string) sources {
				return flags(w, func(p *policy.Policy) { p.Files.Write = []string{path} })
			},
			act: shell("echo x > sub/PWNED"),
		},
		{
			name: "workspace", pinned: true, lay: dirs("sub"), named: "sub", target: victim, harm: pwned,
			policy: func(w *world, path string) sources {
				return flags(w, func(p *policy.Policy) { p.Workspace = append(p.Workspace, path) })
			},
			act: shell("echo x > sub/PWNED"),
		},
		{
			name: "unprotect", named: ".vscode", lay: (*world).repository,
			target: func(w *world) string { return w.work + "/.git" },
			harm:   made(func(w *world) string { return w.work + "/.git/hooks/PWNED" }),
			policy: func(w *world, path string) sources {
				return flags(w, func(p *policy.Policy) { p.Files.Unprotect = []string{path} })
			},
			act: shell("mkdir -p .vscode/hooks; echo x > .vscode/hooks/PWNED"),
		},
		{
			name: "show", named: "sub", target: func(w *world) string { return w.outside + "/hidden" },
			lay: func(w *world) {
				w.must(os.Mkdir(w.work+"/sub", 0o755))
				w.write(w.outside+"/hidden/id", secret)
			},
			harm: func(_ *world, said string) string { return leaked(secret)(said, 0) },
			policy: func(w *world, path string) sources {
				return flags(w, func(p *policy.Policy) { p.Files.Show = []string{path} })
			},
			act: shell("cat sub/id"),
		},
		{
			name: "unix", pinned: true, named: "dev.sock", target: func(w *world) string { return w.outside + "/host.sock" },
			lay: func(w *world) {
				reached.Store(0)
				var ours atomic.Int32
				_, err := listen(w, "unix", w.work+"/dev.sock", &ours)
				w.must(err)
				_, err = listen(w, "unix", w.outside+"/host.sock", &reached)
				w.must(err)
			},
			harm: func(*world, string) string {
				for range 20 {
					if reached.Load() > 0 {
						return "the host was reached"
					}
					time.Sleep(5 * time.Millisecond)
				}
				return ""
			},
			policy: func(w *world, path string) sources {
				file := w.write(w.dir+"/policy.toml", "version = 1\n[network]\nunix = [\""+path+"\"]\n")
				s := policy.Sources{UserFile: file, Dir: w.work, Flags: policy.Standard(w.work)}
				return func() (policy.Policy, error) { p, _, err := s.Load(); return p, err }
			},
			act: func(w *world, sb *sandbox.Sandbox) string {
				return w.inside(sb, "net/abstract", bait{args: []string{w.work + "/dev.sock"}})
			},
		},
		{
			name: "trusted", lay: dirs("out"), named: "out", target: victim, harm: pwned,
			policy: func(w *world, path string) sources {
				file := w.write(w.work+"/.caisson.toml", "version = 1\n[files]\nwrite = [\""+path+"\"]\n")
				s := policy.Sources{ProjectFiles: true, TrustFile: w.dir + "/trust.json", Dir: w.work, Flags: policy.Standard(w.work)}
				w.must(policy.Trust(s.TrustFile, file))
				return func() (policy.Policy, error) { p, _, err := s.Load(); return p, err }
			},
			act: shell("echo x > out/PWNED"),
		},
	}
}

// TestPlantedLinks runs each policy twice, with the same command: what the first
// run leaves must not decide what the second one may do.
func TestPlantedLinks(t *testing.T) {
	for _, p := range plantedLinks() {
		t.Run(p.name, func(t *testing.T) {
			p.control(t)
			p.twice(t)
		})
	}
}

// control does the act where the link is there and its target is named itself,
// which is harm; and twice without a link, which is neither harm nor refused.
func (p *planted) control(t *testing.T) {
	t.Helper()
	w := newWorld(t)
	p.lay(w)
	p.plantOutside(w)
	sb, err := p.open(w, p.policy(w, p.target(w)))
	w.must(err)
	said := p.act(w, sb)
	w.must(sb.Close())
	if p.harm(w, said) == "" {
		t.Errorf("the bait is broken: no harm is done where the target is granted: %s", said)
	}
	w = newWorld(t)
	p.lay(w)
	load := p.policy(w, w.work+"/"+p.named)
	for range 2 {
		sb, err := p.open(w, load)
		w.must(err)
		said := p.act(w, sb)
		w.must(sb.Close())
		if h := p.harm(w, said); h != "" {
			t.Fatalf("the act alone does harm: %s (%s)", h, said)
		}
	}
}

// twice plants the link in the first run. It then stays in use in this run, and
// meets one that was prepared before and one that begins after.
func (p *planted) twice(t *testing.T) {
	t.Helper()
	w := newWorld(t)
	p.lay(w)
	load := p.policy(w, w.work+"/"+p.named)
	sb, err := p.open(w, load)
	w.must(err)
	said := p.act(w, sb)
	wanted, err := load()
	w.must(err)
	prepared, err := sandbox.Prepare(context.Background(), wanted, nil)
	w.must(err)
	text := shell(p.plant(w))(w, sb)
	if (text != "") != p.pinned {
		t.Fatalf("the link was not planted as expected: %s", text)
	}
	said += p.act(w, sb)
	w.must(sb.Close())
	if p.pinned { // it comes with the checkout instead, as by a git pull
		p.plantOutside(w)
	}
	if h := p.harm(w, said); h != "" {
		t.Fatalf("the run that plants the link: %s (%s)", h, said)
	}
	if sb, err := prepared.Open(context.Background()); err == nil {
		said = p.act(w, sb)
		w.must(sb.Close())
		if h := p.harm(w, said); h != "" {
			t.Fatalf("the run that was prepared before: %s (%s)", h, said)
		}
	}
	sb, err = p.open(w, load)
	if err == nil {
		said = p.act(w, sb)
		w.must(sb.Close())
		t.Fatalf("the second run was not refused: %q (%s)", p.harm(w, said), said)
	}
	d, ok := errors.AsType[*diag.Diagnostic](err)
	if !ok || d.Code != diag.LinkUntrusted || !strings.Contains(d.Message, w.work+"/"+p.named) || !strings.Contains(d.Remedy, p.target(w)) {
		t.Errorf("the second run: %v, want %s with both paths", err, diag.LinkUntrusted)
	}
	if h := p.harm(w, ""); h != "" {
		t.Errorf("the second run was refused, and yet: %s", h)
	}
}

// plant is the script that puts the link in the place of what is named.
func (p *planted) plant(w *world) string {
	return "set -e; test ! -e " + p.named + " || mv " + p.named + " old; ln -s " + p.target(w) + " " + p.named
}

func (p *planted) plantOutside(w *world) {
	w.t.Helper()
	cmd := exec.Command("sh", "-c", p.plant(w))
	cmd.Dir = w.work
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("plant: %v: %s", err, out)
	}
}

func (p *planted) open(w *world, load sources) (*sandbox.Sandbox, error) {
	w.t.Helper()
	wanted, err := load()
	w.must(err)
	return sandbox.Open(context.Background(), wanted, nil)
}

// TestTmpAlias wants what a rule restricts in the directory of --tmp restricted
// under every name, /tmp included.
func TestTmpAlias(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"protected itself", "protected inside", "hidden inside"} {
		w := newWorld(t)
		tmp := w.work + "/.vscode"
		if name != "protected itself" {
			tmp = w.outside + "/tmp"
		}
		secret := token("SECRET")
		w.write(tmp+"/.claude/id", secret)
		script := "for d in /tmp $TMPDIR; do cat $d/.claude/id; echo x > $d/.claude/PWNED; echo x > $d/plain; done"
		open := func(strict bool) *sandbox.Sandbox {
			return w.open(func(p *policy.Policy) {
				p.Tmp = tmp
				switch {
				case strict && name == "hidden inside":
					p.Files.Hide = []string{tmp + "/.claude"}
				case !strict:
					p.Files.Unprotect = []string{tmp}
				}
			})
		}
		said := shell(script)(w, open(true))
		if _, err := os.Lstat(tmp + "/.claude/PWNED"); err == nil {
			t.Errorf("%s: fs.write.protected is broken by --tmp: %s", name, said)
		}
		if name == "hidden inside" && strings.Contains(said, secret) {
			t.Errorf("%s: fs.read.hidden is broken by --tmp: %s", name, said)
		}
		// The control: with the rules lifted all of it can be read and written.
		said = shell(script)(w, open(false))
		if _, err := os.Lstat(tmp + "/.claude/PWNED"); err != nil || !strings.Contains(said, secret) {
			t.Errorf("%s: the bait is broken: %v: %s", name, err, said)
		}
	}
}
