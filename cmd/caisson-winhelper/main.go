// SPDX-License-Identifier: Apache-2.0

// Caisson-winhelper is the part of caisson that executes plans on Windows, and
// that setup runs with the rights of an administrator. See package
// backends/windows/helper. It links no command line library and talks to no
// network.
package main
