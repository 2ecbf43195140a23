// SPDX-License-Identifier: Apache-2.0

// Package report is what a run of the conformance suite found: one value, with
// a writer for each format that people and programs read. JSON is the whole of
// it and can be read back; the others are views. Merge lays several reports side
// by side.
//
// Much of a report comes from the target that was judged: its name, its version,
// what it said when something failed. No format lets that text act on who reads
// it, be it a browser, a terminal, a forge or a build server; see Visible.
package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// Schema is the version of the JSON form. A change that a reader could trip
// over raises it.
const Schema = 1

// Verdict is how one case ended.
type Verdict string

// The verdicts.
const (
	Pass          Verdict = "pass"           // claimed, or a duty, and it held
	Fail          Verdict = "fail"           // claimed, or a duty, and it was broken
	Held          Verdict = "held"           // not claimed, and it held all the same
	NotHeld       Verdict = "not-held"       // not claimed, and it did not hold
	NotApplicable Verdict = "not-applicable" // this host or target has no such thing
	Error         Verdict = "error"          // the case could not be judged
	NotRun        Verdict = "not-run"        // it applies, and was not tried
)

// Verdicts returns all verdicts, in the order that reports use.
func Verdicts() []Verdict {
	return []Verdict{Pass, Fail, Held, NotHeld, NotApplicable, Error, NotRun}
}

// Report is one run of the suite.
type Report struct {
	Schema int       `json:"schema"`
	Date   time.Time `json:"date"` // of the start, UTC
	Target Target    `json:"target"`
	Host   Host      `json:"host"`
	Binary string    `json:"binary"` // SHA-256 of the executable that judged
	Seed   uint64    `json:"seed"`   // of the random cases
	// Claims is what the target promised for a plain sandbox.
	Claims guarantee.Set `json:"claims"`
	// Conformant says that no Must failed, no case ended in an error, nothing
	// that applies was left out, and the whole table was asked for.
	Conformant bool            `json:"conformant"`
	Complete   bool            `json:"complete"` // all cases of the table were asked for
	Counts     map[Verdict]int `json:"counts"`
	Elapsed    int64           `json:"elapsed_ms"`
	Results    []Result        `json:"results"`
}

// Target is what was judged.
type Target struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Kind    string `json:"kind"` // "backend" or "wrap"
	Notes   string `json:"notes,omitempty"`
}

// Host is where it was judged.
type Host struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel,omitempty"`
	System string `json:"system,omitempty"` // the name of the distribution
	User   string `json:"user"`             // "root" or "user"
	CPUs   int    `json:"cpus"`
}

// Result is what came of one case. An empty Guarantee means a positive duty.
type Result struct {
	ID          string       `json:"id"`
	Title       string       `json:"title"`
	Guarantee   guarantee.ID `json:"guarantee"`
	Requirement string       `json:"requirement"` // must, should, may
	Clause      string       `json:"clause"`      // an anchor in docs/contract.md
	Verdict     Verdict      `json:"verdict"`
	Why         string       `json:"why"`
	MS          int64        `json:"ms"`
	Meaning     string       `json:"meaning"` // what a failure means
}

// Judge counts the verdicts and says whether the target is conformant.
func (r *Report) Judge() {
	r.Counts = map[Verdict]int{}
	for _, v := range Verdicts() {
		r.Counts[v] = 0
	}
	r.Conformant = r.Complete && len(r.Results) > 0
	for _, one := range r.Results {
		r.Counts[one.Verdict]++
		if one.Verdict == Fail && one.Requirement == "must" || one.Verdict == Error || one.Verdict == NotRun {
			r.Conformant = false
		}
	}
}

// Clean reports whether nothing stands against what was run: as Conformant, of
// the selected cases alone.
func (r *Report) Clean() bool {
	whole := *r
	whole.Complete = true
	whole.Judge()
	return whole.Conformant
}

// Summary is the outcome in one line.
func (r *Report) Summary() string {
	word := "not conformant"
	switch {
	case r.Conformant:
		word = "conformant"
	case !r.Complete && r.Clean():
		word = "nothing against it in the selected cases"
	}
	s := fmt.Sprintf("%s: %s:", Visible(r.Target.Name), word)
	for i, v := range Verdicts() {
		if i > 0 {
			s += ","
		}
		s += fmt.Sprintf(" %d %s", r.Counts[v], v)
	}
	return s
}

// Reasons says why the target is not conformant, a sentence for each reason,
// without a full stop. It is empty for a conformant one.
func (r *Report) Reasons() []string {
	ids := map[Verdict][]string{}
	for _, one := range r.Results {
		if one.Verdict != Fail || one.Requirement == "must" {
			ids[one.Verdict] = append(ids[one.Verdict], one.ID)
		}
	}
	var reasons []string
	for _, k := range []struct {
		verdict Verdict
		what    string
	}{
		{Fail, "must hold and failed"},
		{Error, "could not be judged"},
		{NotRun, "could have been run and was not"},
	} {
		if list := ids[k.verdict]; len(list) > 0 {
			reasons = append(reasons, fmt.Sprintf("%s %s: %s", count(len(list), "case"), k.what, some(list)))
		}
	}
	switch {
	case len(r.Results) == 0:
		reasons = append(reasons, "no case was run")
	case !r.Complete:
		reasons = append(reasons, "only a part of the table was asked for")
	}
	return reasons
}

// count writes a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// some lists ids, but not too many of them.
func some(ids []string) string {
	const most = 12
	if len(ids) <= most {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], ", "), len(ids)-most)
}

// ThisHost describes the machine that this process runs on.
func ThisHost() Host {
	h := Host{OS: runtime.GOOS, Arch: runtime.GOARCH, User: "user", CPUs: runtime.NumCPU()}
	if os.Geteuid() == 0 {
		h.User = "root"
	}
	h.Kernel, h.System = system()
	return h
}

// Hash returns the SHA-256 of a file, in hexadecimal.
func Hash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
