// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/winrun"
)

// maxRequest bounds a request for setup, in bytes.
const maxRequest = 1 << 20

// Main runs the role that the first argument names, and returns the status.
func Main(args []string) int {
	if len(args) == 3 && (args[1] == "setup" || args[1] == "teardown") {
		return report(overPipe(args[1], args[2]))
	}
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "caisson-winhelper: run by caisson, not by hand")
		return 2
	}
	var err error
	switch args[1] {
	case "run":
		err = Serve(winrun.NewConn(os.Stdin, os.Stdout), &outer{})
	case "inner":
		err = ServeInner(winrun.NewConn(os.Stdin, os.Stdout), &inner{})
	case "connect":
		return connect(os.Stdin)
	case "recover":
		err = recoverRuns(os.Stdin, os.Stdout)
	case "setup", "teardown", "check":
		err = elevated(args[1], os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("unknown role %q", args[1])
	}
	return report(err)
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "caisson-winhelper: "+err.Error())
		return 1
	}
	return 0
}

// recoverRuns undoes what dead runs left, by the state directory that it reads.
func recoverRuns(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(io.LimitReader(in, maxRequest))
	if err != nil {
		return err
	}
	dir := filepath.Join(string(text), "windows")
	n, err := Recover(Disk{}, diskLedgers(dir))
	if n > 0 {
		fmt.Fprintf(out, "entries and placeholders of %d ended sandboxes were removed\n", n)
	}
	return err
}

// elevated does what setup needs an administrator for. The request comes on
// the standard input; every change is written to the output and to a log.
func elevated(role string, in io.Reader, out io.Writer) error {
	if role != "check" && !windows.GetCurrentProcessToken().IsElevated() {
		return diag.New(diag.UsageInvalid, role+" needs the rights of an administrator", "run caisson setup, which asks for them")
	}
	if err := trustedImage(); err != nil && role != "check" {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
	if err != nil {
		return err
	}
	r, err := DecodeRequest(text)
	if err == nil {
		err = r.Setup.Check()
	}
	if err == nil {
		err = checkPlaces(r.Setup)
	}
	if err != nil {
		return err
	}
	// Where another user's name was typed to elevate, the setup is still the
	// caller's: Owner says whose, and the pipe whose it can be.
	say := func(line string) { fmt.Fprintln(out, line) }
	sys := Machine{Install: r.Setup.Install}
	switch role {
	case "setup":
		return Setup(sys, r, say)
	case "teardown":
		return Teardown(sys, r.Setup, say)
	}
	s, err := Status(sys, r.Setup)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}

// checkPlaces compares the places of a setup with this machine's.
func checkPlaces(o Options) error {
	shared, err := installed.Dir()
	if err != nil {
		return err
	}
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\`+o.Owner, registry.QUERY_VALUE)
	if err != nil {
		return fmt.Errorf("find the home directory of %s: %w", o.Owner, err)
	}
	defer k.Close()
	profile, _, err := k.GetStringValue("ProfileImagePath")
	if err == nil {
		profile, err = registry.ExpandString(profile)
	}
	if err != nil {
		return fmt.Errorf("find the home directory of %s: %w", o.Owner, err)
	}
	return o.CheckPlaces(shared, profile)
}

// trustedImage wants the program that runs elevated to be one that no other
// user may write: its file and the directory that it is in.
func trustedImage() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		who, err := otherWriters(p)
		if err != nil {
			return err
		}
		if len(who) > 0 {
			return diag.New(diag.UsageInvalid, fmt.Sprintf("%s may be written by %s: it is not run with the rights of an administrator", diag.Quote(p), strings.Join(who, ", ")),
				"install caisson below Program Files, or for yourself alone")
		}
	}
	return nil
}
