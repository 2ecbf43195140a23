// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// measure is what may not grow. Memory is that of the process that launches by
// the library, in bytes.
type measure struct {
	descriptors, threads, mounts, children int

	heap, resident uint64

	files map[string]bool // in the workspaces, temporary directories and caisson's state
}

func (m *measure) String() string {
	return fmt.Sprintf("%d descriptors, %d threads, %d mounts, %d children, %d files, %.1f MB of heap, %.1f MB resident",
		m.descriptors, m.threads, m.mounts, m.children, len(m.files), float64(m.heap)/1e6, float64(m.resident)/1e6)
}

// take measures.
func (r *run) take() (*measure, error) {
	debug.FreeOSMemory()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m := &measure{heap: memory.HeapAlloc, files: map[string]bool{}, children: len(childrenOf(os.Getpid()))}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Sscan(string(statm), new(int), &m.resident); err != nil {
		return nil, err
	}
	m.resident *= uint64(os.Getpagesize())
	m.descriptors, m.threads, m.mounts = len(fds), len(tasks), bytes.Count(mounts, []byte{'\n'})
	for _, dir := range []string{"work", "tmp", "home"} {
		if err := m.list(filepath.Join(r.base, dir)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// list adds the files below a directory, which others may be removing. What is
// kept and bounded is left out: a store for caches for each workspace, and the
// sixteen spares of a journal, which other holders use as well.
func (m *measure) list(dir string) error {
	spare := regexp.MustCompile(`/journal/spare-([0-9]|1[0-5])$`)
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case err == nil && d.IsDir() && strings.HasSuffix(name, "/caisson/caches"):
			return fs.SkipDir
		case spare.MatchString(name):
			return nil
		}
		m.files[name] = true
		return nil
	})
}

// same reports whether what must be equal is: all but memory and the threads of
// the runtime.
func (m *measure) same(o *measure) bool {
	return m.descriptors == o.descriptors && m.mounts == o.mounts && m.children == o.children && maps.Equal(m.files, o.files)
}

// grown says what is more than it was before. Memory may be half as much again
// and some megabytes: the collector and the allocator take it as it comes.
func (m *measure) grown(before *measure) error {
	const room = 8 << 20
	var list []error
	more := func(what string, now, then uint64) {
		if now > then {
			list = append(list, fmt.Errorf("%s: %d, at most %d expected", what, now, then))
		}
	}
	more("descriptors", uint64(m.descriptors), uint64(before.descriptors))
	more("threads", uint64(m.threads), uint64(before.threads)+8)
	more("mounts", uint64(m.mounts), uint64(before.mounts))
	more("children", uint64(m.children), 0)
	more("heap", m.heap, before.heap*3/2+room)
	more("resident memory", m.resident, before.resident*3/2+room)
	for name := range m.files {
		if !before.files[name] {
			list = append(list, fmt.Errorf("%s is left", name))
		}
	}
	return errors.Join(list...)
}

// childrenOf lists the children of all threads of a process.
func childrenOf(pid int) []int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var list []int
	for _, name := range tasks {
		text, _ := os.ReadFile(name)
		for f := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(f); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// descendants names what the warden still has.
func descendants() []string {
	var list []string
	for _, pid := range childrenOf(os.Getpid()) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		list = append(list, string(text))
	}
	return list
}

// TestGrown: what grows is seen, and what does not is not.
func TestGrown(t *testing.T) {
	t.Parallel()
	r := &run{base: t.TempDir()}
	for _, dir := range []string{"work", "tmp", "home"} {
		if err := os.Mkdir(filepath.Join(r.base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := func() map[string]bool {
		m := &measure{files: map[string]bool{}}
		if err := m.list(r.base); err != nil {
			t.Fatal(err)
		}
		return m.files
	}
	before := measure{descriptors: 9, threads: 7, mounts: 25, heap: 1e6, resident: 2e7, files: files()}
	if after := before; !after.same(&before) || after.grown(&before) != nil {
		t.Errorf("what is equal has grown: %v", after.grown(&before))
	}
	if err := os.WriteFile(filepath.Join(r.base, "work", "left"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*measure){
		"descriptors":        func(m *measure) { m.descriptors++ },
		"threads":            func(m *measure) { m.threads += 9 },
		"mounts":             func(m *measure) { m.mounts++ },
		"children":           func(m *measure) { m.children++ },
		"heap":               func(m *measure) { m.heap = 2e7 },
		"resident memory":    func(m *measure) { m.resident = 6e7 },
		"/work/left is left": func(m *measure) { m.files = files() },
	} {
		after := before
		change(&after)
		if err := after.grown(&before); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
