// SPDX-License-Identifier: Apache-2.0

// Package registry knows which backend plugins there are and which of them the
// user trusts. It finds them in fixed places, never in PATH, the current
// directory or a workspace; looks whether anybody else could change them; and
// compares them with the hashes in the trust file. It starts none, and links
// nothing that could: plugins/host does that with what Open returns.
package registry

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/plugins/protocol"
)

// State is what is to be thought of a plugin.
type State string

// The states of a plugin.
const (
	Trusted   State = "trusted"
	Untrusted State = "untrusted" // the user has not said that it may run
	Changed   State = "changed"   // it is not what it was when it was trusted
	Unsafe    State = "unsafe"    // others could change it, or it is no program
)

// Place is a directory that is searched, and whose it is.
type Place struct {
	Dir  string `json:"dir"`
	What string `json:"what"` // "user", "system", "beside caisson"
}

// Registry is where to look. Default returns that of this host; the zero value
// finds nothing. It is read only and safe for concurrent use.
type Registry struct {
	Places   []Place // in order: of two plugins of one name the first counts
	StateDir string  // caisson's state, with the trust file and the verdicts
}

// Default returns the places of this host: the user's directory, the system's,
// and the directory of the running program.
func Default() Registry {
	own := policy.OSHost().OwnDirs()
	r := Registry{StateDir: own.State}
	add := func(dir, what string) {
		if dir != "" && filepath.IsAbs(dir) {
			r.Places = append(r.Places, Place{dir, what})
		}
	}
	add(own.Plugins, "user")
	switch runtime.GOOS {
	case "linux":
		add("/usr/local/libexec/caisson", "system")
		add("/usr/libexec/caisson", "system")
	case "darwin":
		add("/usr/local/libexec/caisson", "system")
		add("/Library/Application Support/caisson/plugins", "system")
	}
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			add(filepath.Dir(real), "beside caisson")
		}
	}
	return r
}

// Plugin is a plugin that was found.
type Plugin struct {
	Name    string   `json:"name"`
	Path    string   `json:"path"`
	Place   string   `json:"place"` // Place.What; "named" where the path was given
	State   State    `json:"state"`
	Reason  string   `json:"reason,omitempty"` // why it is not trusted
	SHA256  string   `json:"sha256,omitempty"` // of what is there now
	Trust   *Trust   `json:"trust"`
	Verdict *Verdict `json:"verdict"` // of the last conformance run of what is there now
}

// Usable returns nil for a trusted plugin, else a refusal that says what to do.
func (p Plugin) Usable() error {
	trust := "look at it, then trust it with: caisson plugin trust " + diag.Quote(p.word())
	switch p.State {
	case Trusted:
		return nil
	case Untrusted:
		return diag.New(diag.PluginUntrusted, "the backend plugin "+diag.Quote(p.Path)+" is not trusted", trust)
	case Changed:
		return diag.New(diag.PluginUntrusted, "the backend plugin "+diag.Quote(p.Path)+" is not what it was when it was trusted: "+p.Reason, trust)
	}
	return diag.New(diag.PluginUnsafe, "the backend plugin "+diag.Quote(p.Path)+" cannot be used: "+p.Reason,
		"install it where only you or an administrator can change it")
}

// word is how the plugin is named on a command line.
func (p Plugin) word() string {
	if p.Place == named {
		return p.Path
	}
	return p.Name
}

// named is the place of a plugin whose path was given.
const named = "named"

// List returns the plugins of all places, sorted by name. A place that does not
// exist or cannot be read has none.
func (r Registry) List() ([]Plugin, error) {
	trust, err := r.trusts()
	if err != nil {
		return nil, err
	}
	var found []Plugin
	for _, place := range r.Places {
		entries, err := os.ReadDir(place.Dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name, ok := pluginName(e.Name())
			if !ok || slices.ContainsFunc(found, func(p Plugin) bool { return p.Name == name }) {
				continue
			}
			found = append(found, r.look(trust, Plugin{Name: name, Path: filepath.Join(place.Dir, e.Name()), Place: place.What}))
		}
	}
	slices.SortFunc(found, func(a, b Plugin) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// Any reports whether some plugin is trusted, without looking at any. It is
// cheap: it is on the way of commands that no built-in backend can confine.
func (r Registry) Any() bool {
	trust, err := r.trusts()
	return err == nil && len(trust.Plugins) > 0
}

// Find returns the plugin of a name, whatever its state. An unknown name is a
// refusal that lists where was looked.
func (r Registry) Find(name string) (Plugin, error) {
	list, err := r.List()
	if err != nil {
		return Plugin{}, err
	}
	i := slices.IndexFunc(list, func(p Plugin) bool { return p.Name == name })
	if i >= 0 {
		return list[i], nil
	}
	dirs := make([]string, len(r.Places))
	for i, p := range r.Places {
		dirs[i] = diag.Quote(p.Dir)
	}
	return Plugin{}, diag.New(diag.PluginUnknown, "there is no backend plugin "+diag.Quote(name),
		"its file "+protocol.ExecutablePrefix+"NAME is looked for in "+strings.Join(dirs, ", ")+", or named with --plugin PATH")
}

// At returns the plugin at a path, whatever its state.
func (r Registry) At(path string) (Plugin, error) {
	trust, err := r.trusts()
	if err != nil {
		return Plugin{}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Plugin{}, diag.New(diag.PluginUnsafe, diag.Quote(path)+": "+err.Error(), "")
	}
	name, ok := pluginName(filepath.Base(abs))
	if !ok {
		name = filepath.Base(abs)
	}
	if _, err := os.Lstat(abs); errors.Is(err, fs.ErrNotExist) {
		return Plugin{}, diag.New(diag.PluginUnknown, "there is no file "+diag.Quote(abs), "")
	}
	return r.look(trust, Plugin{Name: name, Path: abs, Place: named}), nil
}

// look fills in what is to be thought of a plugin.
func (r Registry) look(trust trustList, p Plugin) Plugin {
	o, err := Open(p.Path)
	if err != nil {
		p.State, p.Reason = Unsafe, reason(err)
		return p
	}
	defer o.Close()
	p.Path, p.SHA256 = o.Path, o.SHA256
	p.Verdict = r.verdict(p.Name, p.SHA256)
	t, ok := trust.Plugins[o.Path]
	switch {
	case !ok:
		p.State, p.Reason = Untrusted, "it was never trusted"
	case t.SHA256 != o.SHA256:
		p.State, p.Reason, p.Trust = Changed, "its SHA-256 is "+o.SHA256+" and was "+t.SHA256, &t
	default:
		p.State, p.Trust = Trusted, &t
	}
	return p
}

// pluginName takes the name out of a file name.
func pluginName(file string) (string, bool) {
	if runtime.GOOS == "windows" {
		var exe bool
		if file, exe = strings.CutSuffix(strings.ToLower(file), ".exe"); !exe {
			return "", false
		}
	}
	name, ok := strings.CutPrefix(file, protocol.ExecutablePrefix)
	return name, ok && name != "" && strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) < 0
}

// reason is an error without its code.
func reason(err error) string {
	if d, ok := errors.AsType[*diag.Diagnostic](err); ok {
		return d.Message
	}
	return err.Error()
}
