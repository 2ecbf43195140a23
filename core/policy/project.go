// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// roots returns the real directories of the workspace, as far as they exist.
// Resolve refuses those that do not.
func (s Sources) roots(p Policy) []string {
	workspace := p.Workspace
	if len(workspace) == 0 {
		workspace = []string{"."}
	}
	var roots []string
	for _, w := range workspace {
		if rest, ok := strings.CutPrefix(w, "~"); ok && s.Home != "" && (rest == "" || os.IsPathSeparator(rest[0])) {
			w = s.Home + rest
		}
		if real, err := filepath.EvalSymlinks(s.absolute(w)); err == nil {
			roots = append(roots, real)
		}
	}
	return roots
}

// projectFiles finds the policy files of the projects, those of outer
// directories first. A root in no repository has only its own.
func (s Sources) projectFiles(roots []string) ([]string, error) {
	var found []string
	for _, root := range roots {
		var files []string
		for dir := root; ; dir = filepath.Dir(dir) {
			file := filepath.Join(dir, ProjectFile)
			there, err := projectFileAt(file)
			if err != nil {
				return nil, unreadable(file, err)
			}
			if there {
				files = append(files, file)
			}
			if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) { // no repository
				files = slices.DeleteFunc(files, func(f string) bool { return filepath.Dir(f) != root })
				break
			}
		}
		slices.Reverse(files)
		found = union(found, files)
	}
	return found, nil
}

// projectFileAt reports whether there is a project file. An empty directory is
// none: another sandbox may hold the absent name with it, and whoever can make
// one can also remove the file. Nor is one with a .gitignore alone, which is what
// commands see in its place.
func projectFileAt(file string) (bool, error) {
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil // Resolve says what a root that is no directory is
	}
	if err != nil || !info.IsDir() {
		return err == nil, err
	}
	entries, err := os.ReadDir(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // it was removed meanwhile
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".gitignore" })
	return err != nil || len(entries) > 0, nil
}

// addProjects merges the project files over p.
func (s Sources) addProjects(p Policy, files, roots []string) (Policy, error) {
	if len(files) == 0 {
		return p, nil
	}
	trusted, err := readTrust(s.TrustFile)
	if err != nil {
		return p, err
	}
	for _, file := range files {
		data, project, err := readProject(file)
		if err != nil {
			return p, err
		}
		project.dropWorkspace(roots)
		if !trusted.holds(file, data) {
			if err := project.mustTighten(p, file); err != nil {
				return p, err
			}
		}
		if len(project.Workspace) > 0 && len(p.Workspace) == 0 {
			p = p.withDefaultWorkspace()
		}
		project.read = []string{file}
		p = mergeLayers(p, project, true)
	}
	return p, nil
}

// withDefaultWorkspace writes down that the workspace is the current directory,
// so that it stays when a project adds to it.
func (p Policy) withDefaultWorkspace() Policy {
	p.Workspace = []string{hereDir}
	p.layers = append(slices.Clip(p.layers), layer{kind: LayerStandard, file: originStandard, dir: hereDir,
		said: []mark{{setting: "workspace", value: hereDir}}})
	return p
}

// readProject reads a project file once, so that what is hashed is what is
// obeyed. A symbolic link is refused: whoever makes the checkout would choose
// the file that is trusted, and the errors would quote it.
func readProject(file string) ([]byte, Policy, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return nil, Policy{}, unreadable(file, err)
	}
	if err := readable(file, info.Mode(), false); err != nil {
		return nil, Policy{}, err
	}
	f, err := openFile(file, false)
	if err != nil {
		return nil, Policy{}, unreadable(file, err)
	}
	defer f.Close()
	data, err := readOpen(file, f)
	if err != nil {
		return nil, Policy{}, err
	}
	l := layer{kind: LayerProject, file: file, dir: filepath.Dir(file)}
	p, err := decodeLayer(file, data, l)
	if err != nil {
		return nil, Policy{}, err
	}
	for _, m := range p.layers[0].said {
		if err := l.mayHold(m); err != nil {
			return nil, Policy{}, err
		}
	}
	return data, p, nil
}

func neverRemedy(setting string) string {
	if setting == "final" {
		return "only the system policy can pin settings"
	}
	return "set it in the user policy, or with a flag"
}

// dropWorkspace removes from a project's workspace the directories that are
// the workspace already: `workspace = ["."]` at the root says nothing new.
func (p *Policy) dropWorkspace(roots []string) {
	l := &p.layers[0]
	known := func(w string) bool {
		real, err := filepath.EvalSymlinks(filepath.Join(l.dir, w))
		return err == nil && !filepath.IsAbs(w) && slices.Contains(roots, real)
	}
	p.Workspace = slices.DeleteFunc(p.Workspace, known)
	l.said = slices.DeleteFunc(l.said, func(m mark) bool { return m.setting == "workspace" && known(m.value) })
}

// mustTighten refuses a project policy that is looser than what lies below it.
func (p Policy) mustTighten(low Policy, file string) error {
	for _, m := range p.layers[0].said {
		s, _ := settingNamed(m.setting)
		if s.project == tightens || s.project == compared && !looser(low, m.setting, m.value) {
			continue
		}
		return diag.New(diag.PolicyUntrusted,
			fmt.Sprintf("%s: %s: the project file loosens the policy and is not trusted", p.layers[0].origin(m).place(), m.setting),
			"read it, then run: caisson policy trust "+diag.Quote(file))
	}
	return nil
}

// looser reports whether a value of a setting with one value allows more than
// what is in force below it.
func looser(low Policy, setting, value string) bool {
	now := standardValue(setting)
	if v := low.values(setting); len(v) > 0 {
		now = v[0]
	}
	switch setting {
	case "extends":
		return rank(value, "read-only", "standard") > rank(now, "read-only", "standard")
	case "network.mode":
		return rank(value, "offline", "allowlist", "online") > rank(now, "offline", "allowlist", "online")
	case "env.inherit":
		return rank(value, "clean", "all") > rank(now, "clean", "all")
	case "limits.time":
		return low.Limits.Time != 0 && duration(value) > low.Limits.Time
	case "limits.memory", "limits.processes":
		return now != "" && number(value) > number(now)
	}
	return value != now
}

// rank is the place of a value among those of its setting, strictest first.
func rank(value string, order ...string) int { return slices.Index(order, value) }

// The values were checked and brought into their one form when they were read.
func duration(text string) time.Duration {
	d, _ := time.ParseDuration(text)
	return d
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
