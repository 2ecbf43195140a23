// SPDX-License-Identifier: Apache-2.0

// Package wire is what the runner of kernels and its guests say to each other:
// an Order on the guest's disk, and one Outcome for each of its steps over the
// guest's console, which needs no driver of its own.
package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// OrderPath is where a guest finds its Order.
const OrderPath = "/order.json"

// Order is what a guest does between its start and its end.
type Order struct {
	// Clock is the time to set, in seconds since 1970: a guest may have none.
	Clock int64 `json:"clock"`
	// Settings are written below /proc/sys before the first step.
	Settings map[string]string `json:"settings"`
	// Profile is a compiled profile of AppArmor to load, unless it is empty.
	Profile []byte `json:"profile,omitempty"`
	Steps   []Step `json:"steps"`
}

// Step is one command. It is killed, and all that it started, after Seconds.
type Step struct {
	Name    string   `json:"name"`
	User    bool     `json:"user"` // as an ordinary user instead of root
	Argv    []string `json:"argv"`
	Seconds int      `json:"seconds"`
}

// Outcome is what came of a step. Exit is -1 where it was killed or could not
// be started, which Stderr then says.
type Outcome struct {
	Name         string `json:"name"`
	Exit         int    `json:"exit"`
	Milliseconds int64  `json:"ms"`
	Stdout       string `json:"stdout"`
	Stderr       string `json:"stderr"`
}

// The frame of an outcome on the console: begin, lines of base64, end. Lines
// are short since a console may break long ones.
const (
	begin    = "@caisson-begin"
	end      = "@caisson-end"
	linesize = 512
)

// Write prints an outcome in its frame.
func Write(w io.Writer, o Outcome) error {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if err := json.NewEncoder(zip).Encode(o); err != nil {
		return fmt.Errorf("pack %s: %w", o.Name, err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("pack %s: %w", o.Name, err)
	}
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	var b strings.Builder
	b.WriteString("\n" + begin + "\n")
	for len(text) > linesize {
		b.WriteString(text[:linesize] + "\n")
		text = text[linesize:]
	}
	b.WriteString(text + "\n" + end + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Read returns the outcomes in what a console printed. What stands between
// frames is not looked at; a frame that is broken or not ended is an error.
func Read(console string) ([]Outcome, error) {
	var all []Outcome
	var packed strings.Builder
	inside := false
	for line := range strings.Lines(console) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == begin:
			if inside {
				return all, fmt.Errorf("outcome %d is not whole", len(all)+1)
			}
			inside = true
			packed.Reset()
		case !inside:
		case line == end:
			inside = false
			o, err := unpack(packed.String())
			if err != nil {
				return all, fmt.Errorf("outcome %d: %w", len(all)+1, err)
			}
			all = append(all, o)
		default:
			packed.WriteString(line)
		}
	}
	if inside {
		return all, fmt.Errorf("outcome %d is not whole", len(all)+1)
	}
	return all, nil
}

func unpack(text string) (Outcome, error) {
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return Outcome{}, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return Outcome{}, err
	}
	// To its end, where the checksum is.
	plain, err := io.ReadAll(zip)
	if err != nil {
		return Outcome{}, err
	}
	var o Outcome
	if err := json.Unmarshal(plain, &o); err != nil {
		return Outcome{}, err
	}
	return o, nil
}
