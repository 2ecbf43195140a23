// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// factsFormat is the version of the form of Facts.
const factsFormat = 1

// Facts is what a plan depends on. Recorded on one host it can be used on
// another. SIDs of the machine are replaced by symbols: {user}, {account} (any
// account of the pool) and {group}.
type Facts struct {
	Format  int    `json:"format"`
	Arch    string `json:"arch"`    // as in GOARCH
	Build   int    `json:"build"`   // of the system, such as 26100
	Edition string `json:"edition"` // EditionID of the registry: "Professional", "Core", "ServerStandard"
	Session int    `json:"session"` // 0 is that of services
	// Elevated is true where the caller's own token has Administrators enabled.
	Elevated bool `json:"elevated"`
	// Restricted is true where the caller's token is a restricted one already.
	Restricted bool `json:"restricted"`
	// Nested is true inside a sandbox of caisson.
	Nested bool  `json:"nested"`
	Setup  Setup `json:"setup"`
	// Logon is the state of the service that starts programs as another user
	// (seclogon): "running", "stopped" (it starts on demand), "disabled",
	// "missing".
	Logon string `json:"logon"`
	// DenyLogon is true where a policy of the machine or the domain keeps local
	// accounts from logging on interactively.
	DenyLogon bool `json:"deny_logon"`
	// Device is the SID by which the null device and its like can be opened
	// for writing in the second pass of a restricted token; empty where none is
	// needed.
	Device string `json:"device"`
	// Container says what became of asking the system for a sandbox of its own.
	Container Container `json:"container"`
	Volumes   []Volume  `json:"volumes"`
	// Places are directories with their access lists, ancestors first: drives,
	// profiles, what programs are searched in, and what a workspace lies in.
	Places []Place `json:"places"`
	// Temp is the directory that the next sandbox has its temporary files in.
	Temp string `json:"temp"`
}

// Setup is what setup left on a host.
type Setup = installed.Setup

// Container is what the system's own sandboxes are on a host: the process
// security environments of processmodel.dll.
type Container struct {
	// State is "absent" (the system has no such calls), "off" (it has them, and
	// they refuse) or "made" (an environment was made and given back). That the
	// calls are there says little: systems have them whose feature is off.
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"` // of "off"
	// Denies is true where paths can be denied in what is otherwise allowed, as
	// hiding and protecting needs.
	Denies bool `json:"denies,omitempty"`
}

// Volume is a volume. A Root ends in a separator.
type Volume struct {
	Root   string `json:"root"`
	FS     string `json:"fs"`
	ACLs   bool   `json:"acls"`   // FILE_PERSISTENT_ACLS
	Remote bool   `json:"remote"` // a drive of the network
}

// Place is a directory or a file with its security descriptor.
type Place struct {
	Path string `json:"path"`
	File bool   `json:"file,omitempty"`
	SDDL string `json:"sddl"`
}

// DecodeFacts reads the form that Probe reports. What is unknown or malformed
// is refused with the code plan-invalid.
func DecodeFacts(raw []byte) (Facts, error) {
	var f Facts
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(&f)
	if _, more := d.Token(); err == nil && more != io.EOF {
		err = errors.New("something follows them")
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return Facts{}, diag.New(diag.PlanInvalid, "the facts of Windows: "+err.Error(), "record them with this version of caisson")
	}
	return f, nil
}

func (f Facts) check() error {
	if f.Format != factsFormat {
		return fmt.Errorf("format %d is not known, only %d", f.Format, factsFormat)
	}
	if f.Arch != "amd64" && f.Arch != "arm64" {
		return fmt.Errorf("architecture %q is neither amd64 nor arm64", f.Arch)
	}
	switch f.Setup.State {
	case "none", "ready", "partial", "old", "broken":
	default:
		return fmt.Errorf("setup %q", f.Setup.State)
	}
	switch f.Container.State {
	case "absent", "off", "made":
	default:
		return fmt.Errorf("container %q", f.Container.State)
	}
	if f.Device != "" {
		if sid, err := access.ParseSID(f.Device); err != nil || sid.IsSymbol() {
			return fmt.Errorf("device %q is no SID", f.Device)
		}
	}
	for _, p := range append([]string{f.Temp}, paths(f.Places)...) {
		if err := pathspec.Windows.Check(p); err != nil {
			return err
		}
	}
	_, err := f.volume()
	return err
}

func paths(places []Place) []string {
	list := make([]string, len(places))
	for i, p := range places {
		list[i] = p.Path
	}
	return list
}

// volume gives the places as a tree with access lists.
func (f Facts) volume() (*access.Volume, error) {
	v := &access.Volume{}
	for _, p := range f.Places {
		d, err := access.ParseDescriptor(p.SDDL)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Path, err)
		}
		if d.Owner == "" || d.Group == "" {
			return nil, fmt.Errorf("%s: %w", p.Path, access.ErrNoOwner)
		}
		v.Put(strings.TrimRight(p.Path, `\`), !p.File, d)
	}
	return v, nil
}

// volumeOf returns the volume that a path lies on.
func (f Facts) volumeOf(path string) (Volume, bool) {
	var best Volume
	for _, v := range f.Volumes {
		if pathspec.Windows.Within(pathspec.Windows.Clean(v.Root), path) && len(v.Root) > len(best.Root) {
			best = v
		}
	}
	return best, best.Root != ""
}
