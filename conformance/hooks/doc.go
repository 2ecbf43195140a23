// SPDX-License-Identifier: Apache-2.0

// Package hooks holds the tests of caisson hook with the agents themselves,
// Claude Code and Codex, which ask a server of the test instead of a model.
//
// They run where CAISSON_E2E_AGENTS names the directory that npm has installed the
// agents in, as make e2e-agents does. Start with place_linux_test.go: what is asked
// for is judged by files that are there afterwards, in the project and outside,
// with the hook and without it. Agents have a home of their own, no key, and no
// network but the loopback. docs/agents.md says what was seen.
package hooks
