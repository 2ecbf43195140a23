// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Trim removes stores in the directory of all stores: those without use for a
// month, then those used longest ago while all together hold more than bound
// bytes. One that was used within a day stays, since a sandbox may live on it.
// It returns what it removed.
func Trim(ctx context.Context, all string, bound int64) ([]string, error) {
	entries, err := os.ReadDir(all)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	type store struct {
		path string
		used time.Time
		size int64
	}
	var stores []store
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.IsDir() {
			continue
		}
		s := store{path: filepath.Join(all, e.Name()), used: info.ModTime()}
		if s.size, err = size(ctx, s.path); err != nil {
			return nil, err
		}
		total += s.size
		stores = append(stores, s)
	}
	slices.SortFunc(stores, func(a, b store) int { return cmp.Compare(a.used.UnixNano(), b.used.UnixNano()) })
	var removed []string
	for _, s := range stores {
		idle := time.Since(s.used)
		if idle < minIdle || idle < maxIdle && total <= bound {
			continue
		}
		if ctx.Err() != nil {
			return removed, ctx.Err()
		}
		if err := Remove(s.path); err != nil {
			return removed, err
		}
		total -= s.size
		removed = append(removed, s.path)
	}
	return removed, nil
}

// size adds up the files below a directory.
func size(ctx context.Context, dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total, err
}

// Remove removes a directory with all that it holds, whatever modes commands
// gave the directories. Links are not followed. That there is no such
// directory is no error.
func Remove(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = root.Chmod(name, 0o700) // before it is read
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	root.Close()
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
