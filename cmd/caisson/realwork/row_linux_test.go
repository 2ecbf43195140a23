// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// row is one piece of work. All scripts are bash's, with the workspace as the
// current directory, and stop at the first command that fails.
type row struct {
	name  string
	needs []string // programs
	// setup makes the workspace, outside any sandbox. $ELSE is a directory
	// beside it that commands cannot write.
	setup string
	// steps run one after the other, each in a sandbox of its own.
	steps []string
	// fails lists the steps, from 1, whose status is not 0.
	fails []int
	// outer runs outside any sandbox after the steps; in it $BOX is in front of
	// each command that belongs in one.
	outer string
	// check runs outside any sandbox last; its output is compared.
	check string
	// flags are those of `caisson run`; they may hold variables.
	flags []string
	// mask are patterns of output that differs from one bare run to the next.
	mask []string
	// ignore are patterns of files whose contents differ so.
	ignore string
	long   bool
	// warm says that the row needs a build cache of its user: without one it
	// would build the standard library, which takes longer than all others.
	warm bool
}

// outcome is what a run of a row came to.
type outcome struct {
	Status []int
	Output []string
	Files  map[string]string
}

func runRows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.test(t)
		})
	}
}

func (r *row) test(t *testing.T) {
	if r.long && testing.Short() {
		t.Skip("a long row")
	}
	if r.warm && os.Getenv(baseVariable) != "" {
		t.Skip("SKIPPED: this user, made for the tests, has no build cache")
	}
	need(t, r.needs...)
	dir := shared.workspace(t)
	bare := r.run(t, dir, nil)
	for i, status := range bare.Status {
		if want := slices.Contains(r.fails, i+1); (status != 0) != want {
			t.Errorf("bare, step %d: status %d\n%s", i+1, status, bare.Output[i])
		}
	}
	box := r.run(t, dir, append([]string{shared.caisson, "run", "-q"}, append(r.expanded(), "--")...))
	if diff := cmp.Diff(bare, box); diff != "" {
		t.Errorf("bare (-), in a sandbox (+):\n%s", diff)
	}
}

// expanded gives the flags with the variables of the tests in them replaced.
func (r *row) expanded() []string {
	var flags []string
	for _, f := range r.flags {
		flags = append(flags, os.Expand(f, func(name string) string {
			for _, v := range shared.env {
				if value, ok := strings.CutPrefix(v, name+"="); ok {
					return value
				}
			}
			return ""
		}))
	}
	return flags
}

// need skips a test where a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("SKIPPED: %s is not installed here", p)
		}
	}
}

// run makes the workspace anew and runs the row in it. The box is what stands
// in front of commands.
func (r *row) run(t *testing.T, dir string, box []string) outcome {
	t.Helper()
	w := filepath.Join(dir, "work")
	removeAll(t, w)
	removeAll(t, filepath.Join(dir, "else"))
	for _, d := range []string{w, filepath.Join(dir, "else")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := append(shared.env[:len(shared.env):len(shared.env)], "ELSE="+filepath.Join(dir, "else"), "BOX="+strings.Join(box, " "))
	if r.setup != "" {
		if status, out := r.bash(t, w, env, nil, r.setup); status != 0 {
			t.Fatalf("the setup ends with %d:\n%s", status, out)
		}
	}
	var o outcome
	add := func(status int, out string) {
		o.Status, o.Output = append(o.Status, status), append(o.Output, out)
	}
	for _, script := range r.steps {
		add(r.bash(t, w, env, box, script))
	}
	if r.outer != "" {
		add(r.bash(t, w, env, nil, r.outer))
	}
	if r.check != "" {
		add(r.bash(t, w, env, nil, r.check))
	}
	o.Files = r.tree(t, w)
	return o
}

// bash runs one script and gives its status and its output.
func (r *row) bash(t *testing.T, dir string, env, box []string, script string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	words := append(box[:len(box):len(box)], "bash", "-ec", script)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, 5*time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	status := 0
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatalf("%s: %v\n%s%s", script, err, &out, &errs)
		}
		if status = exit.ExitCode(); status < 0 {
			if ctx.Err() != nil {
				t.Errorf("%s: ended by the time limit\n%s%s", script, &out, &errs)
			}
			status = 128 + int(exit.Sys().(syscall.WaitStatus).Signal()) // as a shell and caisson tell it
		}
	}
	text := out.String() + "--\n" + errs.String()
	for _, m := range r.mask {
		text = regexp.MustCompile(m).ReplaceAllString(text, "")
	}
	return status, text
}

// tree describes the files of a workspace: kind, mode, and contents or target.
// Of a git directory only the names are taken, but those of objects.
func (r *row) tree(t *testing.T, root string) map[string]string {
	t.Helper()
	var ignore *regexp.Regexp
	if r.ignore != "" {
		ignore = regexp.MustCompile(r.ignore)
	}
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		inGit := strings.HasPrefix(rel, ".git/") || strings.Contains(rel, "/.git/")
		switch {
		case inGit && d.IsDir() && d.Name() == "objects":
			return fs.SkipDir
		case ignore != nil && ignore.MatchString(rel):
			if d.IsDir() {
				return fs.SkipDir
			}
		case inGit:
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			what += " " + target
		case d.Type().IsRegular():
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %d %x", len(data), sha256.Sum256(data))
			if len(data) < 200 {
				what += fmt.Sprintf(" %q", data)
			}
		}
		files[rel] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
