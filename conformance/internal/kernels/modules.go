// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// wanted are the modules that a guest loads: those of its disk and network,
// and those that a probe would have the kernel load by itself elsewhere.
var wanted = []string{"virtio_pci", "virtio_blk", "dummy", "tun", "fuse", "overlay", "loop", "unix_diag", "vsock", "vsock_loopback"}

// modules copies the wanted modules and what they depend on into a directory,
// decompressed, and returns their file names in the order to load them. What
// is built into the kernel has no file and is left out.
func (m machine) copyModules(ctx context.Context, to string) ([]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(m.modules, "kernel"), func(path string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok && err == nil {
			files[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var order []string
	seen := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		file, ok := files[name]
		if !ok || seen[name] {
			return nil
		}
		seen[name] = true
		out := filepath.Join(to, name+".ko")
		if err := decompress(ctx, file, out); err != nil {
			return err
		}
		needs, err := dependencies(out)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, one := range needs {
			if err := add(one); err != nil {
				return err
			}
		}
		order = append(order, name+".ko")
		return nil
	}
	for _, name := range wanted {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// moduleName is the one spelling of a module's name.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

func decompress(ctx context.Context, file, to string) error {
	if !strings.HasSuffix(file, ".xz") {
		return copyFile(file, to, 0o644)
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	c := exec.CommandContext(ctx, "xz", "-dc", file)
	c.Stdout, c.Stderr = out, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("decompress %s: %w", file, err)
	}
	return out.Close()
}

// dependencies reads what a module says it depends on, as modinfo(8) does.
func dependencies(module string) ([]string, error) {
	f, err := elf.Open(module)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("it has no .modinfo")
	}
	text, err := section.Data()
	if err != nil {
		return nil, err
	}
	var names []string
	for entry := range strings.SplitSeq(string(text), "\x00") {
		list, ok := strings.CutPrefix(entry, "depends=")
		for name := range strings.SplitSeq(list, ",") {
			if ok && name != "" {
				names = append(names, moduleName(name))
			}
		}
	}
	return names, nil
}
