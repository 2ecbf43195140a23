// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package conformance

// What the kernel cases of Linux look at; the cases that use it need Linux.

func niceOf(int) string     { return "" }
func limitsOf(int) string   { return "" }
func affinityOf(int) string { return "" }

func findEnvironment(int, string) (int64, bool) { return 0, false }
