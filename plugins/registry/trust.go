// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The files in caisson's state, and the version of their form.
const (
	trustFile   = "plugins.json"
	verdictFile = "conformance.json"
	lockName    = "plugins.lock"
	fileFormat  = 1
	maxFile     = 4 << 20
)

// Trust is what was recorded when a plugin was trusted.
type Trust struct {
	SHA256 string    `json:"sha256"`
	Time   time.Time `json:"time"`
	// Programs are the programs that its plans may have executed although
	// they are no part of the operating system: real path to SHA-256.
	Programs map[string]string `json:"programs,omitempty"`
}

type trustList struct {
	Format  int              `json:"format"`
	Plugins map[string]Trust `json:"plugins"` // by real path
}

// Verdict is the outcome of the last conformance run of a backend.
type Verdict struct {
	SHA256  string    `json:"sha256,omitempty"` // of the plugin; empty for a built-in
	Version string    `json:"version"`
	Passed  bool      `json:"passed"` // every claim was upheld
	Cases   int       `json:"cases"`
	Failed  int       `json:"failed"`
	Time    time.Time `json:"time"`
}

type verdictList struct {
	Format   int                `json:"format"`
	Backends map[string]Verdict `json:"backends"`
}

// Trust records that a plugin, as it is now, may be run, and that its plans may
// have the listed programs executed. It returns the plugin as it is then.
func (r Registry) Trust(p Plugin, programs []string, now time.Time) (Plugin, error) {
	o, err := Open(p.Path)
	if err != nil {
		return p, Plugin{Path: p.Path, State: Unsafe, Reason: reason(err)}.Usable()
	}
	defer o.Close()
	t := Trust{SHA256: o.SHA256, Time: now.UTC().Truncate(time.Second)}
	for _, name := range programs {
		abs, err := filepath.Abs(name)
		if err != nil {
			return p, diag.New(diag.PluginUnsafe, diag.Quote(name)+": "+err.Error(), "")
		}
		one, err := Open(abs)
		if err != nil {
			return p, diag.New(diag.PluginUnsafe, "the program "+diag.Quote(name)+" cannot be trusted: "+reason(err), "install it where only you or an administrator can change it")
		}
		one.Close()
		if t.Programs == nil {
			t.Programs = map[string]string{}
		}
		t.Programs[one.Path] = one.SHA256
	}
	release, err := r.lock()
	if err != nil {
		return p, err
	}
	defer release()
	list, err := r.trusts()
	if err != nil {
		return p, err
	}
	list.Plugins[o.Path] = t
	if err := writeFile(filepath.Join(r.StateDir, trustFile), list); err != nil {
		return p, err
	}
	return r.look(list, p), nil
}

// lock keeps other processes from changing the files meanwhile: who read a list
// before another one took a trust back would write that trust again. It waits.
func (r Registry) lock() (release func(), err error) {
	if err := os.MkdirAll(r.StateDir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(r.StateDir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", diag.Quote(f.Name()), err)
	}
	return func() { f.Close() }, nil
}

// Untrust takes the trust in a plugin back, which need not exist any more. It
// reports whether there was any. The word is a name, or a path.
func (r Registry) Untrust(word string) (bool, error) {
	release, err := r.lock()
	if err != nil {
		return false, err
	}
	defer release()
	list, err := r.trusts()
	if err != nil {
		return false, err
	}
	found := false
	abs, err := filepath.Abs(word)
	if err != nil {
		return false, err
	}
	if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(real, filepath.Base(abs))
	}
	for path := range list.Plugins {
		if name, ok := pluginName(filepath.Base(path)); ok && name == word || path == word || path == abs {
			delete(list.Plugins, path)
			found = true
		}
	}
	if !found {
		return false, nil
	}
	return true, writeFile(filepath.Join(r.StateDir, trustFile), list)
}

func (r Registry) trusts() (trustList, error) {
	list := trustList{Format: fileFormat}
	if err := readFile(filepath.Join(r.StateDir, trustFile), &list); err != nil {
		return list, err
	}
	if list.Format != fileFormat {
		return list, unreadable(filepath.Join(r.StateDir, trustFile), fmt.Errorf("format %d is unknown", list.Format))
	}
	if list.Plugins == nil {
		list.Plugins = map[string]Trust{}
	}
	return list, nil
}

// Record keeps the verdict on a backend, by its name, for Verdicts.
func (r Registry) Record(name string, v Verdict) error {
	release, err := r.lock()
	if err != nil {
		return err
	}
	defer release()
	list, err := r.verdicts()
	if err != nil {
		return err
	}
	list.Backends[name] = v
	return writeFile(filepath.Join(r.StateDir, verdictFile), list)
}

// Verdicts returns the last verdict on each backend, by its name.
func (r Registry) Verdicts() (map[string]Verdict, error) {
	list, err := r.verdicts()
	return list.Backends, err
}

func (r Registry) verdicts() (verdictList, error) {
	list := verdictList{Format: fileFormat}
	if err := readFile(filepath.Join(r.StateDir, verdictFile), &list); err != nil {
		return list, err
	}
	if list.Format != fileFormat {
		return list, unreadable(filepath.Join(r.StateDir, verdictFile), fmt.Errorf("format %d is unknown", list.Format))
	}
	if list.Backends == nil {
		list.Backends = map[string]Verdict{}
	}
	return list, nil
}

// verdict is the one on a plugin as it is now; a file that cannot be read has none.
func (r Registry) verdict(name, sum string) *Verdict {
	list, err := r.verdicts()
	if v, ok := list.Backends[name]; err == nil && ok && v.SHA256 == sum {
		return &v
	}
	return nil
}

func unreadable(path string, err error) error {
	return diag.New(diag.PluginUntrusted, diag.Quote(path)+" cannot be believed: "+err.Error(), "remove it and trust the plugins again")
}

// readFile reads a file of caisson's state; one that is absent changes nothing.
func readFile(path string, into any) error {
	f, err := openProgram(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unreadable(path, err)
	}
	defer f.Close()
	if err := policy.Vouch(path); err != nil {
		return unreadable(path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New("it is too large")
	}
	if err != nil {
		return unreadable(path, err)
	}
	if err := parse(text, into); err != nil {
		return unreadable(path, err)
	}
	return nil
}

// parse reads one list and nothing else.
func parse(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if _, more := d.Token(); err == nil && more != io.EOF {
		err = errors.New("something follows the list")
	}
	return err
}

// writeFile replaces a file of caisson's state as a whole.
func writeFile(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".plugins-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
