// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"os/signal"
)

// execute runs another program in the place of this one and gives its status:
// processes cannot be replaced here. What the console sends reaches it too.
func execute(path string, args, environ []string, stdin *os.File) error {
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	if stdin != nil {
		files[0] = stdin
		defer os.Remove(stdin.Name())
		defer stdin.Close()
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt)
	process, err := os.StartProcess(path, args, &os.ProcAttr{Files: files, Env: environ})
	if err != nil {
		return err
	}
	state, err := process.Wait()
	if err != nil {
		return err
	}
	return status(state.ExitCode())
}
