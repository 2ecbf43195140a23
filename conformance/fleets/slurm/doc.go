// SPDX-License-Identifier: Apache-2.0

// Package slurm holds the tests of caisson under Slurm, and of the job scripts
// in docs/fleets/slurm.
//
// They run where CAISSON_E2E_SLURM says so, as make e2e-slurm does, since they
// need root and Debian's slurmctld, slurmd, slurm-client and munge. Start with
// cluster_linux_test.go: a controller and three nodes on the loopback, of which
// everything lies in one directory and every process is a descendant of the
// test.
package slurm
