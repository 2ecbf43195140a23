// SPDX-License-Identifier: Apache-2.0

package slurm

import "testing"

func TestSlurm(t *testing.T) {
	c := startCluster(t)
	t.Log(c.ask("sinfo", "--Node", "--long"))
	out, err := c.as(c.uid, "srun", "caisson", "run", "-w", c.mkdir(t, "w", c.uid), "--", "sh", "-c", "echo hi; id; touch x; exit 7").CombinedOutput()
	t.Logf("%s %v", out, err)
}
