// SPDX-License-Identifier: Apache-2.0

//go:build !darwin

package launch

// Stage does nothing: only macOS starts commands by a stage of the caller.
func Stage() {}
