// SPDX-License-Identifier: Apache-2.0

// Package conformance judges sandboxes: a backend of caisson, or any command
// that runs another command, is led through one table of cases, and the table
// decides which guarantees of docs/contract.md hold.
//
//	func TestMain(m *testing.M) { conformance.Main(mine.New()); os.Exit(m.Run()) }
//
//	func TestConformance(t *testing.T) {
//		conformance.Test(t, conformance.Config{Target: conformance.Backend(mine.New())})
//	}
//
// There are three doors over the same table: Run streams results to a program,
// Test makes each case a subtest, and `caisson conformance run` prints reports.
//
// A case lays bait on the host (files, listeners, a process, a descriptor),
// opens a sandbox, has a helper commit one act inside, and then looks at the
// bait from outside. The helper is this very executable, started again: Main
// serves it. What the helper says of its act is never the verdict; only where
// the act is to read something is the secret in its answer the proof.
//
// Every case first commits the same act without a sandbox. There it must do
// harm, or work where the case is a duty. A bait that nothing takes is an
// error and never a pass.
//
// What is not judged: speed, faults of the kernel below, and harm that no case
// thought of. A conformant sandbox kept every promise that was tried.
package conformance
