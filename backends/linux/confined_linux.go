// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// confinement is what is seen of how this process is confined: the capabilities
// that it has and what is mounted over parts of /proc and /dev. A namespace's
// number does not tell one container from the next, which may have the same home.
// What its filter answers is not tried: a filter may kill who calls.
func (f *Facts) confinement() []string {
	var parts []string
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) == nil {
		for _, d := range data {
			parts = append(parts, strconv.FormatUint(uint64(d.Permitted), 16), strconv.FormatUint(uint64(d.Effective), 16))
		}
	}
	for _, line := range f.Mounts {
		fields := strings.Fields(line)
		if point := fields[4]; within("/proc", point) || within("/dev", point) {
			parts = append(parts, strings.Join(fields[3:], " ")) // without numbers
		}
	}
	return parts
}
