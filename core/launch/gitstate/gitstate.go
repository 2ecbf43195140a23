// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

// Package gitstate knows what commands did to git repositories: which things
// that git acts on came into being during a run, and whether a file is what a
// commit from before the run holds. It executes no git, for git obeys what is
// in a repository; it reads, with limits, and writes nothing.
package gitstate

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

const (
	maxIndex  = 64 << 20 // bytes of an index that is read
	maxGitRef = 4 << 10  // bytes of a file that names a directory
	// maxGitConfig is how many bytes of a configuration are read.
	maxGitConfig = 1 << 20
	// ClockSlack is how far the clock of file times may lag behind.
	ClockSlack = 20 * time.Millisecond
)

// State is what is needed to tell, at the end, which things that git acts
// on came into being during the run. One goroutine uses it at a time.
type State struct {
	start time.Time
	// settable: commands may set back the change times of files, so what was
	// there before the run is known by the ids that refs had then.
	settable bool
	tips     map[string][]objectID // git directory → those ids

	report []string            // paths that were absent
	dirs   []string            // git directories
	stamps map[string]stamp    // of files that git acts on
	held   map[string]bool     // what appears here is a placeholder: commands cannot make it
	known  map[string][]string // git directory → paths of the gitlinks in its index
	links  map[string]map[string]stamp
	ready  chan struct{} // closed when the state is noted
}

// Begin begins to note the state of the git directories of a plan, beside the
// making of the sandbox: an index may be long. Wait before commands start.
//
// Objects of git are taken for those of before the run where their files did
// not change since: no command of Linux can set a change time back. Where one
// may, settableTimes, only commits count that a ref named at the start.
func Begin(p *plan.Plan, settableTimes bool) *State {
	g := &State{ready: make(chan struct{}), held: map[string]bool{}, settable: settableTimes, tips: map[string][]objectID{}}
	go func() {
		defer close(g.ready)
		for _, step := range p.Steps {
			switch st := step.(type) {
			case plan.Hold:
				g.held[st.Path] = true
			case plan.Watch:
				g.begin(st)
			}
		}
	}()
	return g
}

// Since returns the state of git directories for Find alone, as it was when a
// run began that has ended.
func Since(start time.Time, dirs []string) *State { return &State{start: start, dirs: dirs} }

// Wait waits until the state is noted.
func (g *State) Wait() { <-g.ready }

// todos are the files in a git directory that hold commands to execute when
// the user goes on with what was begun, and the list of submodules' own
// repositories. A merge strategy is a command too: git executes git-merge-NAME,
// and a NAME with slashes is one in the worktree.
var todos = [...]string{
	"rebase-merge/git-rebase-todo", "rebase-merge/strategy", "rebase-apply", "sequencer/todo", "sequencer/opts", "modules",
}

// Empty reports whether there is nothing to tell.
func (g *State) Empty() bool { return len(g.report) == 0 && len(g.dirs) == 0 }

// begin notes the state at the start.
func (g *State) begin(st plan.Watch) {
	g.start = time.Now().Add(-ClockSlack)
	if g.stamps == nil {
		g.stamps, g.known, g.links = map[string]stamp{}, map[string][]string{}, map[string]map[string]stamp{}
	}
	for _, name := range st.Report {
		if _, ok := stampOf(name); !ok {
			g.report = append(g.report, name)
		}
	}
	g.dirs = append(g.dirs, st.Git...)
	for _, dir := range st.Git {
		if g.settable {
			g.tips[dir] = tips(dir, commonDir(dir))
		}
		for _, name := range append(todos[:], "index") {
			if s, ok := stampOf(path.Join(dir, name)); ok {
				g.stamps[path.Join(dir, name)] = s
			}
		}
		g.noteLinks(dir)
	}
}

// stamp tells a file from another one, and from itself before a change.
type stamp struct {
	ino     uint64
	kind    uint32 // of S_IFMT
	changed int64  // when, in nanoseconds
	born    int64  // when, in nanoseconds; 0 is unknown
}

// changed says whether a path is there and not as it was at the start.
func (g *State) changed(name string) bool {
	now, ok := stampOf(name)
	if !ok || g.held[name] {
		return false
	}
	was, ok := g.stamps[name]
	return !ok || was.ino != now.ino || was.changed != now.changed
}

// young says whether a path is there and was made or changed since the start.
func (g *State) young(name string) bool {
	st, ok := stampOf(name)
	return ok && st.changed >= g.start.UnixNano()
}

// Tell reports what appeared.
func (g *State) Tell(tell func(diag.Diagnostic)) {
	for _, name := range g.report {
		if _, ok := stampOf(name); ok {
			tell(appeared(diag.Quote(name)+" appeared", path.Dir(name)))
		}
	}
	for _, dir := range g.dirs {
		root := worktree(dir)
		for _, name := range todos {
			if full := path.Join(dir, name); g.changed(full) {
				what := " appeared or changed; git executes commands of it when the operation is continued"
				if name == "modules" {
					what = " changed: a submodule's repository was made or removed"
				}
				tell(appeared(diag.Quote(full)+what, root))
			}
		}
		if root != "" {
			g.tellLinks(dir, root, tell)
		}
	}
}

func appeared(what, root string) diag.Diagnostic {
	d := diag.Diagnostic{Code: diag.RepositoryMade, Message: what + " during the run"}
	if root != "" {
		d.Remedy = "look before git does: git -C " + diag.Quote(root) + " status --ignore-submodules=all"
	}
	return d
}

// worktree is the directory that a git directory belongs to, "" if unknown.
func worktree(gitDir string) string {
	if path.Base(gitDir) == ".git" {
		return path.Dir(gitDir)
	}
	b, err := readSmall(path.Join(gitDir, "gitdir"), maxGitRef) // of a linked worktree
	if err != nil {
		return coreWorktree(gitDir)
	}
	name := strings.TrimSuffix(string(b), "\n")
	if !path.IsAbs(name) || path.Base(name) != ".git" {
		return ""
	}
	return path.Dir(path.Clean(name))
}

// coreWorktree is the directory that the configuration of a git directory names,
// as git writes it for a submodule; "" if none. The configuration is protected.
func coreWorktree(gitDir string) string {
	b, err := readSmall(path.Join(gitDir, "config"), maxGitConfig)
	if err != nil {
		return ""
	}
	section, name := "", ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, _ := strings.Cut(line, "=")
		if section == "[core]" && strings.TrimSpace(key) == "worktree" {
			name = strings.TrimSpace(value)
		}
	}
	switch {
	case name == "":
		return ""
	case path.IsAbs(name):
		return path.Clean(name)
	}
	return path.Join(gitDir, name)
}

// readGitlinks reads the index of a git directory. Whether ids have 20 or 32
// bytes is in the configuration; the length that fits is taken.
func readGitlinks(gitDir string) ([]string, error) {
	b, err := readSmall(path.Join(gitDir, "index"), maxIndex)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(b, []byte{0, 0, 0o160000 >> 8, 0}) {
		return nil, checkIndex(b) // no entry can be one
	}
	links, err := gitlinks(b, 20)
	if err != nil {
		if wide, wideErr := gitlinks(b, 32); wideErr == nil {
			return wide, nil
		}
	}
	return links, err
}

// readSmall reads a regular file of limited size and follows no link to it.
func readSmall(name string, limit int64) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", name, limit)
	}
	b := make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if n < len(b) {
		return nil, err
	}
	return b, nil
}
