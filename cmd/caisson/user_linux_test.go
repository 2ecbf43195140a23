// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caisson-sandbox/caisson/cmd/internal/testkit"
)

// ordinary is a user and group that no host has.
const ordinary = 61234

// TestScriptsAsOrdinaryUser runs the scripts again without privileges, in a
// process of their own: a copy of the test's executable that anybody may run.
func TestScriptsAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("TestScripts runs as an ordinary user already")
	}
	dir, err := os.MkdirTemp("/home", "caisson-test-")
	if err != nil {
		t.Skip("no home can be made for an ordinary user: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin, tmp := filepath.Join(dir, "caisson.test"), filepath.Join(dir, "tmp")
	if err := testkit.CopyFile(bin, "/proc/self/exe", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, made := range []error{os.Mkdir(tmp, 0o700), os.Chown(tmp, ordinary, ordinary), os.Chmod(dir, 0o755)} {
		if made != nil {
			t.Fatal(made)
		}
	}
	cmd := exec.Command(bin, "-test.run=^TestScripts$", "-test.v="+verbose())
	cmd.Env = append(os.Environ(), "HOME="+tmp, "TMPDIR="+tmp, "USER=nobody", "LOGNAME=nobody")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func verbose() string {
	if testing.Verbose() {
		return "true"
	}
	return "false"
}
