// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// seeded is the file in a store that says that a source needs no copying. A
// command can make and remove it, and gains slower builds or a few more reads.
func (s Source) seeded() string { return ".seeded-" + strings.ReplaceAll(s.To, "/", "-") }

// file is one to copy: from the host, to a name in the store.
type file struct {
	from, to string
	changed  time.Time
}

// seed copies the sources that were not copied before into a store.
func seed(ctx context.Context, store string, sources []Source, readable func(string) bool, bound int64) error {
	root, err := os.OpenRoot(store)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, s := range sources {
		if err := s.seed(ctx, root, readable, bound); err != nil {
			return err
		}
	}
	return nil
}

// seed copies one. Indexes are copied after what they name, so that a tool that
// runs meanwhile never finds a name without content. Where there is more than
// bound, nothing is copied.
func (s Source) seed(ctx context.Context, root *os.Root, readable func(string) bool, bound int64) error {
	if _, err := root.Lstat(s.seeded()); err == nil {
		return nil
	}
	files, err := s.list(ctx, readable, bound)
	if err != nil && !errors.Is(err, errFull) {
		return err
	}
	for _, f := range files {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := f.copy(root); err != nil {
			return err
		}
	}
	// A command may have made it by now, as a pipe, on which an open would wait.
	mark, err := root.OpenFile(s.seeded(), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return mark.Close()
}

// list finds the files of a source, indexes last; none with errFull where they
// are larger than bound. Links and what is neither file nor directory are
// passed over, and so is what may not be seen inside.
func (s Source) list(ctx context.Context, readable func(string) bool, bound int64) ([]file, error) {
	var files []file
	var total int64
	err := filepath.WalkDir(s.From, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return nil // it is gone, or not ours to read
		case !readable(name) && d.IsDir():
			return fs.SkipDir
		case !d.Type().IsRegular() || !readable(name):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if total += info.Size(); total > bound {
			return errFull
		}
		below, err := filepath.Rel(s.From, name)
		if err != nil {
			return err
		}
		files = append(files, file{name, path.Join(s.To, filepath.ToSlash(below)), info.ModTime()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(files, func(a, b file) int { return index(a.to) - index(b.to) })
	return files, nil
}

// index is 1 for what names content elsewhere: npm's index directories.
func index(name string) int {
	if strings.Contains(name, "/index-v") {
		return 1
	}
	return 0
}

// copy copies a file whole or not at all, and never over one that a tool has
// made. What cannot be read is passed over.
func (f file) copy(root *os.Root) error {
	if _, err := root.Lstat(f.to); err == nil {
		return nil
	}
	in, err := os.Open(f.from)
	if err != nil {
		return nil
	}
	defer in.Close()
	if st, err := in.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil
	}
	if err := root.MkdirAll(path.Dir(f.to), 0o700); err != nil {
		return err
	}
	half := f.to + ".caisson"
	out, err := root.OpenFile(half, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // of another sandbox, or of one that was stopped
		if err := root.Remove(half); err != nil {
			return err
		}
		out, err = root.OpenFile(half, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // a clone where the file system can
	if err = errors.Join(err, out.Close()); err == nil {
		_ = root.Chtimes(half, f.changed, f.changed)
		err = root.Rename(half, f.to)
	}
	if err != nil {
		return errors.Join(err, root.Remove(half))
	}
	return nil
}
