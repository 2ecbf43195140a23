// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// What job.yaml asks for.
const (
	pods     = 20
	commands = 50
)

// fleet applies the example of a job as it is and reads what each command of
// each pod printed.
func (c *cluster) fleet(t *testing.T) {
	c.must(t, "apply", "-f", filepath.Join(examples, "job.yaml"))
	if kind, reason, message := c.finished(t, open, "fleet"); kind != "Complete" {
		t.Fatalf("the job ended as %s, %s: %s", kind, reason, message)
	}
	var list struct{ Items []podState }
	if err := json.Unmarshal([]byte(c.must(t, "get", "pods", "-l", "job-name=fleet", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	logs := map[string]string{}
	for _, pod := range list.Items {
		if pod.Status.Phase == "Succeeded" {
			logs[pod.Metadata.Labels["batch.kubernetes.io/job-completion-index"]] = c.must(t, "logs", pod.Metadata.Name)
		}
	}
	if len(list.Items) != pods || len(logs) != pods {
		t.Errorf("there are %d pods, of which %d with an index of their own succeeded, want %d", len(list.Items), len(logs), pods)
	}
	for index := range pods {
		var want strings.Builder
		for n := range commands {
			want.WriteString(sandboxed(index, n+1))
		}
		if got := logs[fmt.Sprint(index)]; got != want.String() {
			t.Errorf("index %d printed %q", index, got)
		}
	}
	c.must(t, "delete", "job", "fleet", "--wait=false")
}

// failurePolicy shows that a job tells a refusal from a command that fails.
func (c *cluster) failurePolicy(t *testing.T) {
	one := func(name string) object {
		job := c.example(t, "job.yaml").called(name)
		job.at("spec")["completions"], job.at("spec")["backoffLimitPerIndex"] = 1, 1
		return job
	}
	run := func(words ...string) []string {
		return append([]string{"caisson", "run", "-q", "-w", "/workspace", "--"}, words...)
	}
	c.create(t, restricted, one("refused-job").plain())
	c.create(t, open, one("failing-job").called("failing-job", run("false")...))
	for _, want := range []struct {
		namespace, name, reason string
		tries                   string
	}{
		{restricted, "refused-job", "PodFailurePolicy", "1"},
		{open, "failing-job", "FailedIndexes", "2"},
	} {
		kind, reason, message := c.finished(t, want.namespace, want.name)
		tries := c.must(t, "get", "job", "-n", want.namespace, want.name, "-o", "jsonpath={.status.failed}")
		if kind != "Failed" || reason != want.reason || tries != want.tries {
			t.Errorf("%s ended as %s, %s after %s tries, want %s after %s: %s", want.name, kind, reason, tries, want.reason, want.tries, message)
		}
		t.Log(want.name, reason, message)
	}
}
