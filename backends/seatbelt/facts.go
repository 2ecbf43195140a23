// SPDX-License-Identifier: Apache-2.0

package seatbelt

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// factsFormat is the version of the form of Facts.
const factsFormat = 1

// Facts is what a plan depends on. Recorded on one host it can be used on
// another, and written by hand in a test.
type Facts struct {
	Format  int    `json:"format"`
	Version string `json:"version"` // of macOS, as sw_vers(1) prints it; never decided by
	Build   string `json:"build"`
	Arch    string `json:"arch"` // as in GOARCH
	UID     int    `json:"uid"`  // effective
	// Temp is the real directory that TMPDIR names. The temporary directories
	// of sandboxes are made in a directory of it.
	Temp string `json:"temp"`
	// Executable is true where /usr/bin/sandbox-exec is a program.
	Executable bool `json:"executable"`
	// Nested is true inside a sandbox of caisson.
	Nested bool  `json:"nested"`
	Trial  Trial `json:"trial"`
}

// Trial is the outcome of making a sandbox on this host.
type Trial struct {
	OK      bool   `json:"ok"`
	Message string `json:"message,omitempty"` // the error, where it failed
}

// Typical returns the facts of an ordinary Mac, for plans that are made
// elsewhere. They are of no machine.
func Typical() Facts {
	return Facts{
		Format: factsFormat, Version: "15.5", Build: "24F74", Arch: "arm64", UID: 501,
		Temp: "/private/var/folders/zz/me/T", Executable: true, Trial: Trial{OK: true},
	}
}

// DecodeFacts reads the form that Probe reports. What is unknown or malformed
// is refused with the code plan-invalid.
func DecodeFacts(raw []byte) (Facts, error) {
	refuse := func(message, remedy string) (Facts, error) {
		return Facts{}, diag.New(diag.PlanInvalid, "the facts of "+Name+message, remedy)
	}
	var f Facts
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(&f)
	if _, more := d.Token(); err == nil && more != io.EOF {
		err = errors.New("something follows them")
	}
	switch {
	case err != nil:
		return refuse(": "+err.Error(), "")
	case f.Format != factsFormat:
		return refuse(" have an unknown format", "record them with this version of caisson")
	case f.Arch != "amd64" && f.Arch != "arm64":
		return refuse(" are of the architecture "+diag.Quote(f.Arch), "amd64 and arm64 are supported")
	case !path.IsAbs(f.Temp) || path.Clean(f.Temp) != f.Temp || f.Temp == "/":
		return refuse(" name no directory for temporary files", "")
	}
	return f, nil
}

// obstacle is what makes the backend useless on a host.
type obstacle struct{ reason, remedy string }

// obstacle returns what stands in the way, or nil. The version of macOS is
// never asked: a new release must not turn the sandbox off, nor an old one on.
func (f *Facts) obstacle() *obstacle {
	switch {
	case f.Nested:
		return &obstacle{"caisson runs inside a sandbox of caisson already, and macOS lets no process be confined twice", "run the command directly"}
	case !f.Executable:
		return &obstacle{"/usr/bin/sandbox-exec is missing", "it is part of macOS; see whether the system is whole"}
	case !f.Trial.OK:
		return &obstacle{"a sandbox cannot be made: " + f.Trial.Message, ""}
	}
	return nil
}
