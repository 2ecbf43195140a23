// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"context"
	"runtime"
)

// probe says that there is no bubblewrap on this system. Plans can be made on
// it all the same, from facts of another host.
func probe(context.Context) (facts, error) {
	return facts{Format: factsFormat, Arch: runtime.GOARCH, Message: "bubblewrap is for Linux", Temp: []string{}}, nil
}
