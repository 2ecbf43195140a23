// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/cmd/internal/outcome"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// taken is what is taken from one command.
type taken struct {
	readOnly      bool
	protect, hide []string
}

// road is one way to run a command in an open sandbox. It gives what the command
// wrote and the result of it.
type road func(t *testing.T, script string, less taken) (string, outcome.Outcome)

// lessRoads are the roads into open sandboxes of a workspace.
func lessRoads(t *testing.T, dir string) map[string]road {
	t.Helper()
	sb, err := sandbox.Open(t.Context(), policy.Standard(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	outputs := newOutputs()
	s := startServer(t, program(), outputs.take)
	id, name := s.open(t, dir), startSession(t, dir)
	return map[string]road{
		"library": func(t *testing.T, script string, less taken) (string, outcome.Outcome) {
			cmd := sb.Command(t.Context(), "sh", "-c", script)
			cmd.Dir, cmd.ReadOnly, cmd.Protect, cmd.Hide = dir, less.readOnly, less.protect, less.hide
			out, _ := cmd.CombinedOutput() // the result tells
			return string(out), outcome.Outcome{}.Of(cmd.Result(), nil)
		},
		"serve": func(t *testing.T, script string, less taken) (string, outcome.Outcome) {
			c := s.start(t, map[string]any{
				"sandbox": id, "argv": []string{"sh", "-c", script}, "read_only": less.readOnly,
				"protect": append([]string{}, less.protect...), "hide": append([]string{}, less.hide...),
			})
			var o outcome.Outcome
			if err := s.client.Call("command.wait", c, &o); err != nil {
				t.Fatal(err)
			}
			return outputs.of(c.Command), o
		},
		"session run": func(t *testing.T, script string, less taken) (string, outcome.Outcome) {
			file := filepath.Join(os.Getenv(base), "less-result")
			args := []string{"session", "run", "--result", file}
			if less.readOnly {
				args = append(args, "--read-only")
			}
			for _, p := range less.protect {
				args = append(args, "--protect", p)
			}
			for _, p := range less.hide {
				args = append(args, "--hide", p)
			}
			cmd := exec.Command(program(), append(args, name, "--", "sh", "-c", script)...)
			cmd.Dir = dir
			out, _ := cmd.CombinedOutput() // the result tells
			text, err := os.ReadFile(file)
			var o outcome.Outcome
			if err == nil {
				err = json.Unmarshal(text, &o)
			}
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return string(out), o
		},
	}
}

// TestLess attacks what is taken from one command, by each road. A script says "did"
// where it came through, which it does where nothing is taken; the file outside tells
// too. The result has what was held.
func TestLess(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	tidy := func() {
		var err error
		for _, name := range []string{"a", "b", "vault"} { // and nothing that the sandboxes hold
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
		}
		for name, text := range map[string]string{"a/kept": "as it was", "vault/key": "hidden"} {
			if err == nil {
				err = os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	kept, vault := filepath.Join(dir, "a/kept"), filepath.Join(dir, "vault")
	roads := lessRoads(t, dir)
	// A command that has all, for those that try to go by way of it.
	const another = `for p in /proc/[0-9]*; do case $(cat $p/comm 2>/dev/null) in sleep) break; esac; done; `
	for _, c := range []struct {
		name, script string
		less         taken
		want         sandbox.Less
	}{
		{"read-only", `echo x > a/kept`, taken{readOnly: true}, sandbox.Less{ReadOnly: []string{dir}}},
		{"read-only/another", another + `echo x > $p/root"$PWD"/a/kept`, taken{readOnly: true}, sandbox.Less{ReadOnly: []string{dir}}},
		{"read-only/mount", `umount "$PWD" 2>/dev/null; unshare -rm mount -o remount,bind,rw "$PWD" 2>/dev/null; echo x > a/kept`, taken{readOnly: true}, sandbox.Less{ReadOnly: []string{dir}}},
		{"protect", `echo x > a/kept`, taken{protect: []string{"a/kept"}}, sandbox.Less{Protect: []string{kept}}},
		{"protect/replace", `mv a b && mkdir a && echo x > a/kept`, taken{protect: []string{"a/kept"}}, sandbox.Less{Protect: []string{kept}}},
		{"protect/another", another + `echo x > $p/cwd/a/kept`, taken{protect: []string{kept}}, sandbox.Less{Protect: []string{kept}}},
		{"hide", `grep -q hidden vault/key`, taken{hide: []string{"vault"}}, sandbox.Less{Hide: []string{vault}}},
		{"hide/another", another + `grep -q hidden $p/cwd/vault/key`, taken{hide: []string{"vault"}}, sandbox.Less{Hide: []string{vault}}},
		{"hide/child", `setsid sh -c 'grep -q hidden vault/key'`, taken{hide: []string{"vault"}, readOnly: true}, sandbox.Less{Hide: []string{vault}, ReadOnly: []string{dir}}},
	} {
		for road, run := range roads {
			t.Run(c.name+"/"+road, func(t *testing.T) {
				for _, less := range []taken{c.less, {}} {
					tidy()
					tight := less.readOnly || len(less.protect)+len(less.hide) > 0
					// The one that has all is of the same sandbox, whose road it went.
					if _, o := run(t, `setsid sleep 77821 </dev/null >/dev/null 2>&1 & until grep -qx sleep /proc/$!/comm; do :; done`, taken{}); o.Exit.Code != 0 {
						t.Fatalf("%+v", o)
					}
					out, o := run(t, "{ "+c.script+"; } 2>/dev/null && echo did", less)
					if did := strings.Contains(out, "did"); did == tight {
						t.Errorf("less %v: %q", tight, out)
					}
					if text, err := os.ReadFile(kept); tight && (err != nil || string(text) != "as it was") {
						t.Errorf("it holds %q, %v", text, err)
					}
					if diff := cmp.Diff(wanted(c.want, tight), o.Less); diff != "" {
						t.Error(diff)
					}
				}
			})
		}
	}
}

// wanted fills in what a result says where nothing was asked for.
func wanted(l sandbox.Less, tight bool) *sandbox.Less {
	if !tight {
		return nil
	}
	for _, g := range []struct {
		id    guarantee.ID
		paths *[]string
	}{{guarantee.WriteConfined, &l.ReadOnly}, {guarantee.WriteProtected, &l.Protect}, {guarantee.ReadHidden, &l.Hide}} {
		if len(*g.paths) > 0 {
			l.Guarantees = append(l.Guarantees, g.id)
		} else {
			*g.paths = []string{}
		}
	}
	return &l
}
