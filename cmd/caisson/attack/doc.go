// SPDX-License-Identifier: Apache-2.0

// Package attack holds hostile code and what the host sees of it, as tests.
//
// Every attack of the table has an act, which a copy of the test's executable
// does by system calls, and a bait, which the host lays and looks at
// afterwards. Each act runs twice: as a plain child, where it must do harm,
// else the bait is broken and says nothing; and in a sandbox, where it must do
// none. The host judges by what it finds, not by what the attacker says, but
// for acts that gain something from the kernel: there only the attacker knows.
//
// TestKnockOut takes walls out of a plan and demands that attacks succeed
// then: it shows that the suite can fail. When run by root, everything runs
// again as an ordinary user.
package attack
