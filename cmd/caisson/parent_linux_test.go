// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

// TestWithParent kills the process that started caisson, as happens to the
// process of a batch system that starts a job. The command goes on, and with
// --with-parent it does not.
func TestWithParent(t *testing.T) {
	for _, flags := range [][]string{nil, {"--with-parent"}} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			t.Parallel()
			inner := run(t, `echo ready; while read line; do echo "got $line"; done`, flags...)
			cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `exec 3<&0; "$@" <&3 & wait`, "sh"}, inner.Args...)...)
			cmd.Dir, cmd.Env = inner.Dir, inner.Env
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			out := bufio.NewReader(stdout)
			expect(t, out, "ready")
			if _, err := io.WriteString(stdin, "one\n"); err != nil {
				t.Fatal(err)
			}
			expect(t, out, "got one")
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if flags == nil {
				if _, err := io.WriteString(stdin, "two\n"); err != nil {
					t.Fatal(err)
				}
				expect(t, out, "got two")
				stdin.Close() // the command ends
			}
			// The pipe ends when caisson and all that is inside have ended.
			if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
			if _, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok {
				t.Error("the parent was not killed")
			}
		})
	}
}
