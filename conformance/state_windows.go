// SPDX-License-Identifier: Apache-2.0

package conformance

import "os"

// metadata is nothing yet on Windows: mode and time are compared as Go tells
// them.
func metadata(string, os.FileInfo) string { return "" }

// locked is not known on Windows; the file's growth is.
func locked(string) bool { return false }
