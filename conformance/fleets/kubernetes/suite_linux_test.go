// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"strings"
	"testing"
)

// conformance runs the cases that must pass in the pod of the example.
func (c *cluster) conformance(t *testing.T) {
	c.create(t, open, c.example(t, "pod.yaml").called("conformance", suite("linux/namespaces")...))
	end := c.ended(t, open, "conformance")
	if end.code != 0 || !strings.Contains(end.log, "linux/namespaces") {
		t.Errorf("the suite ended with %d: %s", end.code, end.log)
	}
	t.Log(lastLines(end.log, 3))
}

// suite is the command that judges a backend by the cases that must pass. It
// is given time, since the machine may be busy with other pods.
func suite(backend string) []string {
	return []string{"caisson", "conformance", "run", "-q", "--backend", backend, "--requirement", "must", "--work", "/workspace",
		"--case-timeout", "2m", "--timeout", "20m"}
}

// landlock runs them in a pod of the level "restricted" against the backend
// that needs no namespaces. All that it claims there holds.
func (c *cluster) landlock(t *testing.T) {
	c.create(t, restricted, c.example(t, "pod.yaml").plain().called("landlock", suite("linux/landlock")...))
	end := c.ended(t, restricted, "landlock")
	if end.code != 0 || !strings.Contains(end.log, " 0 fail, ") || !strings.Contains(end.log, "0 error, 0 not-run") {
		t.Errorf("the suite ended with %d: %s", end.code, end.log)
	}
	t.Log(lastLines(end.log, 4))
}
