// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// factsFormat is the version of the form of facts.
const factsFormat = 1

// facts is all that a plan depends on beside the policy.
type facts struct {
	Format  int    `json:"format"`
	Arch    string `json:"arch"` // as in GOARCH
	Path    string `json:"path"` // of bwrap; empty where there is none
	Works   bool   `json:"works"`
	Message string `json:"message,omitempty"` // why it does not
	// Notify is true where caisson can answer system calls of commands.
	Notify bool `json:"notify"`
	// Temp are the real directories behind /tmp and /var/tmp.
	Temp []string `json:"temp"`
	// Proc are the files of /proc that tell of the host, as far as they exist:
	// its keyrings, its memory.
	Proc []string `json:"proc"`
	// Mounts are the mounts of the host that matter: what is a file system of
	// files, and where.
	Mounts []mount `json:"mounts"`
}

// mount is one mount: where, of which file system, and which part of it.
type mount struct {
	Point string `json:"point"`
	Dev   string `json:"dev"`
	Root  string `json:"root"`
	Type  string `json:"type"`
}

func (f facts) encode() (json.RawMessage, error) { return json.Marshal(f) }

func decodeFacts(raw []byte) (facts, error) {
	var f facts
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(&f)
	if _, more := d.Token(); err == nil && more != io.EOF {
		err = errors.New("something follows them")
	}
	if err == nil && f.Format != factsFormat {
		err = fmt.Errorf("format %d is unknown", f.Format)
	}
	if err != nil {
		return facts{}, diag.New(diag.PlanInvalid, "the facts of "+Name+": "+err.Error(), "")
	}
	return f, nil
}

// parseMounts reads /proc/self/mountinfo, see proc_pid_mountinfo(5). What holds
// no files of anybody is left out.
func parseMounts(text string) []mount {
	var list []mount
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(line, " - ")
		f, kind := strings.Fields(head), strings.Fields(tail)
		if !ok || len(f) < 5 || len(kind) < 1 {
			continue
		}
		switch kind[0] {
		case "proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "mqueue", "debugfs", "tracefs", "securityfs", "pstore", "bpf", "configfs", "hugetlbfs", "binfmt_misc", "nsfs":
			continue
		}
		list = append(list, mount{Point: unescape.Replace(f[4]), Dev: f[2], Root: unescape.Replace(f[3]), Type: kind[0]})
	}
	return list
}

// at returns the mount that a path lies in.
func (f facts) at(name string) (mount, bool) {
	var best mount
	found := false
	for _, m := range f.Mounts {
		if within(m.Point, name) && (!found || len(m.Point) >= len(best.Point)) {
			best, found = m, true
		}
	}
	return best, found
}

// aliased returns another name of a path, through a second mount of its file
// system, or "".
func (f facts) aliased(name string) string {
	m, ok := f.at(name)
	if !ok {
		return ""
	}
	inside := path.Join(m.Root, strings.TrimPrefix(name, strings.TrimSuffix(m.Point, "/")))
	for _, other := range f.Mounts {
		if other.Dev == m.Dev && other.Point != m.Point && (within(other.Root, inside) || within(inside, other.Root)) {
			return path.Join(other.Point, strings.TrimPrefix(inside, strings.TrimSuffix(other.Root, "/")))
		}
	}
	return ""
}

// served lists the mounts whose files come over the network or from a process.
func (f facts) served() []string {
	var list []string
	for _, m := range f.Mounts {
		switch {
		case strings.HasPrefix(m.Type, "nfs"), strings.HasPrefix(m.Type, "fuse"), m.Type == "cifs", m.Type == "smb3", m.Type == "9p", m.Type == "ceph", m.Type == "afs", m.Type == "virtiofs":
			list = append(list, diag.Quote(m.Point)+" ("+m.Type+")")
		}
	}
	return list
}

// within reports whether a path is dir or lies below it.
func within(dir, name string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}
