// SPDX-License-Identifier: Apache-2.0

package outfile

import "golang.org/x/sys/unix"

// searchFlags open a directory that may be searched and not read.
const searchFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
