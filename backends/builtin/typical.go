// SPDX-License-Identifier: Apache-2.0

package builtin

import (
	"encoding/json"

	"github.com/caisson-sandbox/caisson/backends/seatbelt"
	"github.com/caisson-sandbox/caisson/backends/windows"
	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/policy/recorded"
)

// Typical is a usual machine of another system, for plans that are made to be
// looked at.
type Typical struct {
	Host     *recorded.Host
	Backends []backend.Backend
	Facts    json.RawMessage // what each of the backends would find there
}

// TypicalOf returns the usual machine of a system, as in GOOS, with the
// architecture of GOARCH. ok is false for a system that has none.
func TypicalOf(os, arch string) (t Typical, ok bool, err error) {
	switch os {
	case "darwin":
		facts := seatbelt.Typical()
		facts.Arch = arch
		t = Typical{Host: recorded.Darwin(), Backends: []backend.Backend{seatbelt.New(seatbelt.Options{Proxy: true})}}
		t.Facts, err = json.Marshal(facts)
		return t, true, err
	case "windows":
		t = Typical{Host: recorded.Windows(), Backends: windows.New(windows.Options{})}
		t.Facts, err = json.Marshal(windows.TypicalFacts(arch))
		return t, true, err
	}
	return Typical{}, false, nil
}
