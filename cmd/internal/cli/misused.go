// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Whoever reads the file of --result must find there what this invocation came
// to, not an earlier one: a flag that cannot be read has a result too.

// misused has flags that cannot be read end in a result, as other misuse does.
func (j *job) misused(c *cobra.Command) {
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		err = flagError(c, err)
		readOn(c.Flags(), j.args[min(len(j.args), len(strings.Fields(c.CommandPath()))-1):])
		return j.refuse(err)
	})
}

// readOn reads the flags that can be read, and nothing behind the first word that
// may belong to the command: what that is to do is not for caisson to do.
func readOn(set *pflag.FlagSet, args []string) {
	for len(args) > 0 {
		n := flagWords(set, args)
		if n == 0 {
			return
		}
		_ = set.Parse(args[:n]) // one of them is why there is an error already
		args = args[n:]
	}
}

// flagWords counts the words at the beginning of args that are one flag and its
// value, or several one-letter flags. It is 0 where that is not certain.
func flagWords(set *pflag.FlagSet, args []string) int {
	word := args[0]
	if len(word) < 2 || word[0] != '-' || word == "--" {
		return 0
	}
	known := false
	if name, long := strings.CutPrefix(word, "--"); long {
		name, _, valued := strings.Cut(name, "=")
		f := set.Lookup(name)
		if f != nil && f.NoOptDefVal == "" && !valued {
			return min(2, len(args))
		}
		known = f != nil || valued
	} else {
		for i := 1; i < len(word); i++ {
			f := set.ShorthandLookup(word[i : i+1])
			if known = f != nil; !known {
				break
			}
			if f.NoOptDefVal == "" {
				return min(len(args), 2-min(1, len(word)-i-1))
			}
		}
	}
	if known || len(args) == 1 || strings.HasPrefix(args[1], "-") {
		return 1
	}
	return 0 // the next word is the value of a flag that nobody knows, or the command
}
