// SPDX-License-Identifier: Apache-2.0

// Package apparmor writes the one AppArmor profile that caisson needs where the
// kernel gives user namespaces without capabilities to programs that have none,
// as Ubuntu does from 24.04 on (kernel.apparmor_restrict_unprivileged_userns).
package apparmor
