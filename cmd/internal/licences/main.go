// SPDX-License-Identifier: Apache-2.0

// Command licences prints the licence texts of everything that is linked into
// the named executables: Go's own, and those of every module that their build
// information lists, from the module cache. A module without a licence file is
// an error, so a release cannot leave one out.
package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, executables []string) error {
	if len(executables) == 0 {
		return errors.New("no executable is named")
	}
	modules := map[string]bool{}
	for _, name := range executables {
		info, err := buildinfo.ReadFile(name)
		if err != nil {
			return fmt.Errorf("build information: %w", err)
		}
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			modules[m.Path+"@"+m.Version] = true
		}
	}
	root, err := goCommand("env", "GOROOT")
	if err != nil {
		return err
	}
	if err := write(out, "the Go standard library and runtime, "+runtime.Version(), root); err != nil {
		return err
	}
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		dir, err := goCommand("list", "-m", "-f", "{{.Dir}}", module)
		if err != nil {
			return err
		}
		if err := write(out, module, dir); err != nil {
			return err
		}
	}
	return nil
}

func goCommand(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(text)), nil
}

// write prints every licence and notice file of one directory.
func write(out io.Writer, what, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	licensed := false
	for _, e := range entries {
		upper := strings.ToUpper(e.Name())
		licence := strings.HasPrefix(upper, "LICEN") || strings.HasPrefix(upper, "COPYING")
		if e.IsDir() || !licence && !strings.HasPrefix(upper, "NOTICE") && !strings.HasPrefix(upper, "PATENTS") {
			continue
		}
		licensed = licensed || licence
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if _, err := fmt.Fprintf(out, "==== %s: %s\n\n%s\n\n", what, e.Name(), strings.TrimSpace(string(text))); err != nil {
			return err
		}
	}
	if !licensed {
		return fmt.Errorf("%s: no licence file in %s", what, dir)
	}
	return nil
}
