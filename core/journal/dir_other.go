// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package journal

// IsPlaceholder says whether a path is a placeholder of some sandbox. Only the
// Linux launcher makes placeholders.
func IsPlaceholder(stateDir, path string) bool { return false }
