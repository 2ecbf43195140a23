// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// confinedVariable says in the process of the tests that something else than
// caisson confines it already, so that some controls do no harm.
const confinedVariable = "CAISSON_ATTACK_CONFINED"

// again runs tests of this package in a process of their own, in a directory
// of the user's, by a command that begins with argv.
func again(t *testing.T, name string, user int, env []string, argv ...string) string {
	t.Helper()
	dir := filepath.Join(here.base, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, user, user); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append([]string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, baseVariable + "=" + dir}, env...)
	cmd.Dir = dir
	if user != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	}
	out, err := cmd.CombinedOutput()
	text := name + ":\n" + strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "\n| ")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return text
}

// TestAsOrdinaryUser runs all other tests without privileges.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user already")
	}
	t.Parallel()
	t.Log(again(t, "ordinary", ordinary, nil, here.binary, "-test.v="+strconv.FormatBool(testing.Verbose()),
		"-test.short="+strconv.FormatBool(testing.Short()), "-test.skip=^(TestAsOrdinaryUser|TestUnderDocker)$"))
}

// TestUnderDocker does all attacks where Docker's default filter and
// capabilities leave caisson no namespaces. What they refuse by themselves has
// no control there.
func TestUnderDocker(t *testing.T) {
	t.Parallel()
	docker := filepath.Join(here.base, "docker")
	if out, err := exec.Command("go", "build", "-o", docker, "../../internal/docker").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	users := map[string]int{"docker-itself": os.Geteuid()}
	if os.Geteuid() == 0 {
		users["docker-ordinary"] = ordinary
	}
	for name, user := range users {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := again(t, name, user, []string{confinedVariable + "=1"}, docker, here.binary, "-test.v", "-test.run=^TestAttacksWithoutNamespaces$")
			held, without := strings.Count(text, "--- PASS: TestAttacksWithoutNamespaces/"), strings.Count(text, "NO CONTROL: ")
			t.Logf("%d attacks, %d without a control", held, without)
			if without > held/3 {
				t.Error(text)
			}
		})
	}
}
