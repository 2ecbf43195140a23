// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
	"github.com/caisson-sandbox/caisson/plugins/registry"
)

// completeFlags teaches the commands below root which values their flags take.
// It is left out where nothing is completed: it costs a launch what it does.
func completeFlags(root *cobra.Command) error {
	var ids []cobra.Completion
	for _, i := range guarantee.All() {
		ids = append(ids, cobra.CompletionWithDesc(string(i.ID), i.Promise))
	}
	backends := []cobra.Completion{"auto"}
	for _, b := range sandbox.Backends() {
		backends = append(backends, b.Info().Name)
	}
	plugins, err := registry.Default().List()
	if err != nil {
		return err
	}
	for _, found := range plugins {
		backends = append(backends, found.Name)
	}
	values := map[string][]cobra.Completion{
		"require": ids, "allow-weaker": ids, "backend": backends, "env-inherit": {"clean", "all"},
		"net": {string(policy.Offline), string(policy.Allowlist), string(policy.Online)},
	}
	values["guarantee"] = append([]cobra.Completion{"duty"}, ids...)
	values["requirement"] = []cobra.Completion{"must", "should", "may"}
	dirs := []string{"workspace", "tmp", "chdir", "work"}
	for _, c := range root.Commands() {
		for _, sub := range append(c.Commands(), c) {
			for flag, words := range values {
				if sub.Flags().Lookup(flag) == nil {
					continue
				}
				if err := sub.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
					return err
				}
			}
			for _, flag := range dirs {
				if sub.Flags().Lookup(flag) == nil {
					continue
				}
				if err := sub.MarkFlagDirname(flag); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
