// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/policy"
)

const callerDone = "caller is done"

// caller runs an act plainly or in a sandbox and then waits, so that the host
// can see what became of it.
func caller(how, work, id string, args []string) int {
	secret := strings.Clone(os.Getenv("CALLER_SECRET")) // in memory, as well as in the environment
	binary, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	here.binary = binary
	w := &world{work: work}
	var text string
	if how == "plain" {
		text = w.plain(id, bait{args: args})
	} else {
		sb, err := openWithout(policy.Standard(work), how)
		if how == withoutNamespaces {
			sb, err = openOn(policy.Standard(work), how)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer sb.Close()
		text = w.inside(sb, id, bait{args: args})
	}
	fmt.Printf("%s\n%s\n", text, callerDone)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if secret == "never" {
		fmt.Println(secret)
	}
	return 0
}

// byCaller does an attack on the process that runs the attacker.
func byCaller(t *testing.T, a attack, backend string) {
	said, harm := runCaller(t, a, "plain")
	a.judgeControl(t, said, harm)
	said, harm = runCaller(t, a, backend)
	w := newWorld(t)
	w.backend = backend
	a.judge(t, w.open(), said, harm)
}

// runCaller runs an attack plainly, in a sandbox, or in one without a wall.
func runCaller(t *testing.T, a attack, how string) (said, harm string) {
	w := newWorld(t)
	b := a.lay(w)
	cmd := exec.Command(here.binary)
	cmd.Args = append([]string{callerName, how, w.work, a.id}, b.args...)
	cmd.Dir = w.work
	cmd.Env = append(os.Environ(), b.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	w.must(err)
	out, err := cmd.StdoutPipe()
	w.must(err)
	w.must(cmd.Start())
	// What an attack has stopped never ends by itself.
	rescue := time.AfterFunc(2*patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer rescue.Stop()
	lines := bufio.NewScanner(out)
	var text []string
	for lines.Scan() && lines.Text() != callerDone {
		text = append(text, lines.Text())
	}
	said = strings.Join(text, "\n")
	harm = b.harm(said, cmd.Process.Pid)
	in.Close()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Process.Kill() // it may be stopped or traced
	_ = cmd.Wait()
	return said, harm
}
