// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
)

// line is what is read here of a line of a setup log; package helper writes it.
type line struct {
	State  string `json:"state"`
	Detail string `json:"detail"`
	Change struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"change"`
}

// findSetup looks what setup left for a user, as far as can be seen without the
// rights of an administrator, and which SIDs belong to it.
func findSetup(owner string) (Setup, naming, error) {
	names := naming{}
	dir, err := installed.Dir()
	if err != nil {
		return Setup{}, names, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "setup-*.log"))
	if err != nil {
		return Setup{}, names, err
	}
	for _, path := range logs {
		lines, err := readLines(path)
		if err != nil {
			return Setup{}, names, err
		}
		var o struct {
			Install, Owner         string
			Offline, Online, Proxy int
		}
		if len(lines) == 0 || lines[0].State != "options" {
			continue
		}
		options := ""
		for _, l := range lines {
			if l.State == "options" {
				options = l.Detail // the last: setup can be run again with others
			}
		}
		if json.Unmarshal([]byte(options), &o) != nil || o.Owner != owner {
			continue
		}
		s := Setup{State: "ready", Install: o.Install, Offline: o.Offline, Online: o.Online, Proxy: o.Proxy}
		switch last := lines[len(lines)-1]; {
		case last.State != "complete":
			s.State, s.Detail = "partial", "it ended at "+last.Change.Kind+" "+last.Change.Name
		case last.Detail != "1":
			s.State, s.Detail = "old", "version "+last.Detail
		}
		for _, l := range lines {
			if l.State != "done" || l.Change.Kind != "account" {
				continue
			}
			names[l.Detail] = string(account)
			u, _, err := winapi.User(l.Change.Name)
			switch {
			case s.State != "ready":
			case err != nil:
				s.State, s.Detail = "broken", "the account "+l.Change.Name+" is gone"
			case u.Flags&winapi.UFLockout != 0:
				s.State, s.Detail = "broken", "the account "+l.Change.Name+" is locked out"
			case u.Flags&winapi.UFAccountDisable != 0:
				s.State, s.Detail = "broken", "the account "+l.Change.Name+" is disabled"
			}
		}
		if sid, _, _, err := windows.LookupSID("", "caisson-"+o.Install); err == nil {
			names[sid.String()] = string(group)
		}
		return s, names, nil
	}
	return Setup{State: "none"}, names, nil
}

func readLines(path string) (list []line, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, l)
	}
	return list, s.Err()
}

// sddl writes a security descriptor with symbols for SIDs of this machine.
func sddl(s winapi.Security, names naming) string {
	d := access.Descriptor{Owner: access.SID(names.of(s.Owner)), Group: access.SID(names.of(s.Group)), Protected: s.Protected}
	if s.List != nil {
		aces, err := access.MostFromRaw(s.List)
		if err == nil {
			for i := range aces {
				aces[i].SID = access.SID(names.of(string(aces[i].SID)))
			}
			d.DACL = aces
		}
	}
	text := d.String()
	return strings.TrimSpace(text)
}
