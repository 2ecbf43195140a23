// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// The variables that stand for flags of caisson sh, whose own words are those
// of a shell. They are the caller's, as flags are.
const (
	shWorkspace = "CAISSON_WORKSPACE" // the workspace instead of the project's root
	shPolicy    = "CAISSON_POLICY"    // as --policy FILE
	shShell     = "CAISSON_SHELL"     // the shell inside, absolute
)

// shName is the name that makes the program a shell whatever its arguments are.
const shName = "caisson-sh"

// personality gives the arguments of a program that was called by the name of
// a shell, as $SHELL is. A name that begins with "-" asks for a login shell, see
// login(1).
func personality(name string, args []string) []string {
	base := strings.TrimSuffix(filepath.Base(name), ".exe")
	switch {
	case base == shName:
		return slices.Concat([]string{"sh"}, args)
	case base == "-"+shName:
		return slices.Concat([]string{"sh", "-l"}, args)
	}
	return args
}

func (p *program) shCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sh [-l] [-i] [-c COMMAND [NAME [ARGUMENT...]]] | [SCRIPT [ARGUMENT...]]",
		Short: "Be a shell whose commands run in a sandbox",
		Long: `Be a shell whose commands run in a sandbox, for programs that only let the
shell be set: name a link to caisson, called caisson-sh, as $SHELL.

The options are those of a shell: -c, -l, -i, also together as -lc. The policy
comes from files and from variables: CAISSON_WORKSPACE is the workspace, by
default the root of the repository around the current directory, else that
directory; CAISSON_POLICY a file as of --policy; CAISSON_SHELL the shell inside,
by default /bin/bash, else /bin/sh. The exit status is that of caisson run.

Who may name another shell walks round this one.`,
		DisableFlagParsing: true, // they are the shell's
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "--help" {
				return c.Help()
			}
			shell, err := readShell(c, args)
			if err != nil {
				return err
			}
			return p.sh(c, shell)
		},
	}
}

// shellWords is the command line of a shell.
type shellWords struct {
	args        []string // as they go to the shell inside
	interactive bool
}

// readShell reads the options of a shell, of which those are known that set no
// more than what is run.
func readShell(c *cobra.Command, args []string) (shellWords, error) {
	w := shellWords{args: args}
	command := false
	for i, arg := range args {
		switch {
		case arg == "--login":
			continue
		case arg == "-" || arg == "--" || !strings.HasPrefix(arg, "-"):
			if command && (arg == "-" || arg == "--") && i == len(args)-1 {
				return w, usageError(c, "-c: no command is named")
			}
			return w, nil
		}
		if bad := strings.Trim(arg[1:], "cliue"); bad != "" {
			return w, usageError(c, "%s is no option of this shell", diag.Quote(arg))
		}
		command = command || strings.Contains(arg, "c")
		w.interactive = w.interactive || strings.Contains(arg, "i")
	}
	if command {
		return w, usageError(c, "-c: no command is named")
	}
	w.interactive = true // nothing to run: it reads commands from its input
	return w, nil
}

// sh runs the shell inside.
func (p *program) sh(c *cobra.Command, words shellWords) error {
	shell := os.Getenv(shShell)
	switch {
	case shell == "":
		shell = "/bin/sh"
		if _, err := os.Stat("/bin/bash"); err == nil {
			shell = "/bin/bash"
		}
	case !filepath.IsAbs(shell):
		return diag.New(diag.UsageInvalid, shShell+"="+diag.Quote(shell)+" is no absolute path", "name the shell with its directory")
	}
	j := &job{program: p, shell: words.interactive && isTerminal(p.stdin)}
	j.environ = shellEnviron(os.Environ(), shell)
	j.flags.changed = func(string) bool { return false }
	j.flags.policyFile = os.Getenv(shPolicy)
	if j.flags.policyFile == "-" {
		return diag.New(diag.UsageInvalid, shPolicy+"=-: the standard input is the shell's", "name a file")
	}
	if dir := os.Getenv(shWorkspace); dir != "" {
		j.flags.workspace = []string{dir}
	} else if cwd, err := os.Getwd(); err == nil && j.flags.policyFile == "" {
		if dir := projectRoot(policy.OSHost(), cwd); dir != "" {
			j.flags.workspace = []string{dir}
		}
	}
	return j.run(c.Context(), append([]string{shell}, words.args...))
}

// shellEnviron makes SHELL the shell inside: programs that start $SHELL are
// confined already, and caisson would refuse to run in itself.
func shellEnviron(environ []string, shell string) []string {
	environ = slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, "SHELL=") })
	return append(environ, "SHELL="+shell)
}

// projectRoot is the root of the repository around a directory, or "" where
// there is none. A repository that a home directory or / is does not count.
func projectRoot(host policy.Host, dir string) string {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	start, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	for ; filepath.Dir(dir) != dir && !slices.Contains(host.Homes(), dir); dir = filepath.Dir(dir) {
		if isRepository(filepath.Join(dir, ".git"), start) {
			return dir
		}
	}
	return ""
}

// isRepository reports whether git would take a .git for that of a directory
// around start. One that another user made, as anybody can in /tmp, or that has
// nothing in it, as sandboxes leave it behind, would make all below it writable.
func isRepository(git string, start os.FileInfo) bool {
	link, err := os.Lstat(git)
	if err != nil {
		return false
	}
	info, err := os.Stat(git)
	if err != nil {
		return false
	}
	for _, one := range []os.FileInfo{link, info} {
		if !isOwn(one) && !sameOwner(one, start) {
			return false
		}
	}
	if info.IsDir() {
		_, err = os.Lstat(filepath.Join(git, "HEAD"))
	}
	return err == nil
}
