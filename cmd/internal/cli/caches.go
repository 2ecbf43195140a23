// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"io/fs"
	"os"
)

// removeTree removes a directory with all that it holds, whatever modes
// commands gave the directories. Links are not followed. That there is no such
// directory is no error.
func removeTree(dir string) error {
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
