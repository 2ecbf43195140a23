// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

func owner(work, file string) int { return 0 }
