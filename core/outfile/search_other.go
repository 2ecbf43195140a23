// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package outfile

import "golang.org/x/sys/unix"

// searchFlags open a directory.
const searchFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
