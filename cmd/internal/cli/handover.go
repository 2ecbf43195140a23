// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// handedOver is set for caisson-full by the caisson that executes it, so that
// something else under its name does not go round in circles.
const handedOver = "CAISSON_HANDED_OVER"

// fullName is the file name of the program that hosts plugins.
func fullName() string {
	if runtime.GOOS == "windows" {
		return "caisson-full.exe"
	}
	return "caisson-full"
}

// fullPlaces are the directories that it is looked for in: never PATH or the
// current directory.
func fullPlaces() []string {
	var dirs []string
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	if runtime.GOOS != "windows" {
		dirs = append(dirs, "/usr/local/libexec/caisson", "/usr/libexec/caisson")
	}
	return dirs
}

// findFull returns the program that hosts plugins, which nobody but the caller
// and administrators can change.
func findFull() (string, error) {
	var reasons []string
	for _, dir := range fullPlaces() {
		path := filepath.Join(dir, fullName())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := policy.Vouch(path); err != nil {
			reasons = append(reasons, err.Error())
			continue
		}
		return path, nil
	}
	if len(reasons) > 0 {
		return "", errors.New(strings.Join(reasons, "; "))
	}
	return "", errors.New("it is not installed")
}

// canHandOver reports whether there is a program to hand over to.
func (p *program) canHandOver() bool {
	if p.serving {
		return false
	}
	_, err := findFull()
	return err == nil
}

// handOver has caisson-full do this command instead. It returns only where
// that cannot be, with a diagnostic that says why it is needed and how it is
// installed; or, where processes cannot be replaced, with its status.
func (p *program) handOver(why string) error {
	refuse := func(err error) error {
		dirs := make([]string, 0, 3)
		for _, d := range fullPlaces() {
			dirs = append(dirs, diag.Quote(d))
		}
		return diag.New(diag.PluginHost, why+", and caisson-full, which hosts plugins, cannot be used: "+err.Error(),
			"put "+fullName()+" of the same version into one of "+strings.Join(dirs, ", ")+"; it is built with: go build ./cmd/caisson-full")
	}
	if p.serving {
		return diag.New(diag.PluginHost, why+", and a server cannot be replaced by caisson-full, which hosts plugins", "start caisson-full serve")
	}
	if os.Getenv(handedOver) != "" {
		return refuse(errors.New("what bears its name is this program"))
	}
	full, err := findFull()
	if err != nil {
		return refuse(err)
	}
	stdin, err := p.unreadStdin()
	if err != nil {
		return refuse(err)
	}
	environ := slices.Concat(os.Environ(), []string{handedOver + "=1"})
	err = execute(full, append([]string{full}, p.args...), environ, stdin)
	if _, ok := errors.AsType[status](err); ok {
		return err
	}
	return refuse(err)
}

// unreadStdin returns a file with what was read from the standard input, as a
// policy is, and will be read again; nil where nothing was.
func (p *program) unreadStdin() (*os.File, error) {
	if p.consumed.Len() == 0 {
		return nil, nil
	}
	f, err := os.CreateTemp("", "caisson-policy-*") // mode 0600
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" { // there it cannot be removed while it is open
		defer os.Remove(f.Name())
	}
	if _, err = f.Write(p.consumed.Bytes()); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
