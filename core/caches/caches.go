// SPDX-License-Identifier: Apache-2.0

// Package caches keeps the private stores of build tools: it fills a new one
// with what tools need of the host's caches to work offline, and removes those
// that nobody uses or that are too big together.
//
// Start with Keep. All of it happens beside the commands, never before them,
// and stops when the sandbox ends; what is missing then is done by a later one.
// A store is written to by commands that are not trusted, at the same time: it
// is only touched through an os.Root, so that no link in it leads anywhere.
package caches

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Bounds of all stores of a user. A day without use is the least that a store
// lives.
const (
	maxSeed  = 512 << 20 // bytes that a new store gets of the host's caches
	maxTotal = 20 << 30  // bytes of all stores
	maxIdle  = 30 * 24 * time.Hour
	minIdle  = 24 * time.Hour
	daily    = 24 * time.Hour // between two looks at all stores
)

// Source is a cache of the host. To is its place in the store. It is for
// workspaces that hold one of the files Of.
type Source struct {
	From, To string
	Of       []string
}

// Keeper works on the stores until Stop.
type Keeper struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Keep notes that a store is used, begins to fill it if it is new, and looks at
// the others if nobody has for a day. Readable says which files of the host may
// be seen inside; only these are copied. Nothing here is worth an error: without
// it builds are slower or the disk is fuller.
func Keep(store string, sources []Source, readable func(path string) bool) *Keeper {
	ctx, cancel := context.WithCancel(context.Background())
	k := &Keeper{cancel: cancel}
	k.done.Go(func() {
		now := time.Now()
		_ = os.Chtimes(store, now, now)
		if seed(ctx, store, sources, readable, maxSeed) != nil || ctx.Err() != nil {
			return
		}
		all := filepath.Dir(store)
		if st, err := os.Stat(stamp(all)); err == nil && now.Sub(st.ModTime()) < daily {
			return
		}
		if _, err := Trim(ctx, all, maxTotal); err == nil && ctx.Err() == nil {
			_ = os.WriteFile(stamp(all), nil, 0o600)
		}
	})
	return k
}

// stamp is the file whose age says when the stores were last looked at.
func stamp(all string) string { return filepath.Join(all, "trimmed") }

// Stop ends the work and waits until it has. It may be called on nil.
func (k *Keeper) Stop() {
	if k != nil {
		k.cancel()
		k.done.Wait()
	}
}

// Bound is the most that all stores may hold together, in bytes.
func Bound() int64 { return maxTotal }

// HostSources are the caches of the host that tools need to work offline, on
// any system, for an environment and a home. Go's build cache is not one: it is
// large, and cold only once. What tools read in place needs no copy.
func HostSources(getenv func(string) string, home string) []Source {
	first := func(candidates ...string) string {
		for _, c := range candidates {
			if filepath.IsAbs(c) {
				return c
			}
		}
		return ""
	}
	join := func(dir string, names ...string) string {
		if dir == "" {
			return ""
		}
		return filepath.Join(append([]string{dir}, names...)...)
	}
	var list []Source
	if npm := first(getenv("npm_config_cache"), join(home, ".npm")); npm != "" {
		list = append(list, Source{filepath.Join(npm, "_cacache"), "npm/_cacache", []string{"package.json"}})
	}
	pip := first(getenv("PIP_CACHE_DIR"), join(getenv("XDG_CACHE_HOME"), "pip"), join(home, ".cache", "pip"))
	if pip != "" {
		list = append(list, Source{pip, "pip", []string{"pyproject.toml", "requirements.txt", "setup.py", "setup.cfg"}})
	}
	return list
}

// Wanted returns the sources that are for a workspace with these roots.
func Wanted(sources []Source, roots []string) []Source {
	return slices.DeleteFunc(slices.Clone(sources), func(s Source) bool {
		for _, root := range roots {
			for _, name := range s.Of {
				if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
					return false
				}
			}
		}
		return true
	})
}

// errFull says that the host's caches are larger than what may be copied.
var errFull = errors.New("the host's caches are larger than a store may begin with")
