// SPDX-License-Identifier: Apache-2.0

package launch

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
	// clockSlack is how far the clock of file times may lag behind.
	clockSlack = 20 * time.Millisecond
)

// gitState is what is needed to tell, at the end, which things that git acts
// on came into being during the run. Change times are the kernel's own: no
// command can set them back.
type gitState struct {
	start  time.Time
	report []string                // paths that were absent
	dirs   []string                // git directories
	stamps map[string]unix.Statx_t // of files that git acts on
	held   map[string]bool         // what appears here is a placeholder: commands cannot make it
	known  map[string][]string     // git directory → paths of the gitlinks in its index
	links  map[string]map[string]unix.Statx_t
	ready  chan struct{} // closed when the state is noted
}

// todos are the files in a git directory that hold commands to execute when
// the user goes on with what was begun, and the list of submodules' own
// repositories.
var todos = [...]string{"rebase-merge/git-rebase-todo", "rebase-apply", "sequencer/todo", "modules"}

func (g *gitState) empty() bool { return len(g.report) == 0 && len(g.dirs) == 0 }

// begin notes the state at the start.
func (g *gitState) begin(st plan.Watch) {
	g.start = time.Now().Add(-clockSlack)
	if g.stamps == nil {
		g.stamps, g.known, g.links = map[string]unix.Statx_t{}, map[string][]string{}, map[string]map[string]unix.Statx_t{}
	}
	for _, name := range st.Report {
		if _, ok := stamp(name); !ok {
			g.report = append(g.report, name)
		}
	}
	g.dirs = append(g.dirs, st.Git...)
	for _, dir := range st.Git {
		for _, name := range append(todos[:], "index") {
			if s, ok := stamp(path.Join(dir, name)); ok {
				g.stamps[path.Join(dir, name)] = s
			}
		}
		g.noteLinks(dir)
	}
}

func stamp(name string) (unix.Statx_t, bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	return st, err == nil
}

// changed says whether a path is there and not as it was at the start.
func (g *gitState) changed(name string) bool {
	now, ok := stamp(name)
	if !ok || g.held[name] {
		return false
	}
	was, ok := g.stamps[name]
	return !ok || was.Ino != now.Ino || was.Ctime != now.Ctime
}

// young says whether a path is there and was made or changed since the start.
func (g *gitState) young(name string) bool {
	st, ok := stamp(name)
	return ok && !time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec)).Before(g.start)
}

// tellAll reports what appeared.
func (g *gitState) tellAll(tell func(diag.Diagnostic)) {
	for _, name := range g.report {
		if _, ok := stamp(name); ok {
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
