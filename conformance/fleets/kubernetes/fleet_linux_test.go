// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Namespaces of the cluster. The second one admits only pods of the level
// "restricted" of Pod Security.
const (
	open       = "default"
	restricted = "restricted"
)

func TestFleet(t *testing.T) {
	c := start(t, os.Getenv(directory))
	c.importImages(t)
	profile, err := os.ReadFile(filepath.Join(examples, "../seccomp.json"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(makeDir(t, c.dir, "kubelet", "seccomp"), "caisson.json"), string(profile))
	c.must(t, "create", "namespace", restricted)
	c.must(t, "label", "namespace", restricted, "pod-security.kubernetes.io/enforce=restricted")
	for _, namespace := range []string{open, restricted} {
		c.await(t, "the namespace has its account", func() error {
			_, err := c.kubectl("get", "-n", namespace, "serviceaccount", "default")
			return err
		})
	}
	t.Log(c.must(t, "get", "node", "-o", "wide"))

	t.Run("refused", c.refused)
	t.Run("fields", c.fields)
	t.Run("admission", c.admission)
	t.Run("pod", c.onePod)
	t.Run("conformance", c.conformance)
	t.Run("landlock", c.landlock)
	t.Run("agent-sandbox", c.agentSandbox)
	t.Run("fleet", c.fleet)
	t.Run("policy", c.failurePolicy)
	t.Run("figures", c.figures)
}

// outcome is what is read of the result that caisson writes.
type outcome struct {
	Backend string
	Started bool
	Exit    *struct{ Code int }
}

func (e ending) result(t *testing.T) outcome {
	t.Helper()
	var o outcome
	if err := json.Unmarshal([]byte(e.message), &o); err != nil {
		t.Fatalf("the message of the container's end is no result: %v: %q", err, e.message)
	}
	return o
}

// refused: in a pod of the level "restricted" caisson runs nothing, and says
// which fields would help.
func (c *cluster) refused(t *testing.T) {
	c.create(t, restricted, c.example(t, "pod.yaml").plain().called("refused"))
	end := c.ended(t, restricted, "refused")
	if end.code != 125 || strings.Contains(end.log, "done") {
		t.Errorf("the command ended with %d, want 125: %s", end.code, end.log)
	}
	for _, field := range []string{"hostUsers: false", "procMount: Unmasked", "seccomp"} {
		if !strings.Contains(end.log, field) {
			t.Errorf("the refusal does not name %s: %s", field, end.log)
		}
	}
	if result := end.result(t); result.Started {
		t.Errorf("the result says that a command was started: %s", end.message)
	}
	t.Log(end.log)

	weaker := c.example(t, "pod.yaml").plain().called("weaker", "caisson", "run", "-q", "--allow-weaker", "fs.write.protected", "-w", "/workspace", "--", "task", "0", "0")
	c.create(t, restricted, weaker)
	const want = "done 0 0 outside=refused result=refused interfaces=2\n"
	if end := c.ended(t, restricted, "weaker"); end.code != 0 || end.log != want {
		t.Errorf("with what is lost given up the command ended with %d and %q, want 0 and %q", end.code, end.log, want)
	}
}

// fields: each of the three fields is needed.
func (c *cluster) fields(t *testing.T) {
	users := c.example(t, "pod.yaml").called("users")
	delete(users.pod(), "hostUsers")
	if _, err := c.kubectlWith(string(encode(t, users)), "create", "-f", "-"); err == nil || !strings.Contains(err.Error(), "hostUsers") {
		t.Errorf("without hostUsers: false the server says %v", err)
	}
	mounts := c.example(t, "pod.yaml").called("mounts")
	delete(mounts.container().at("securityContext"), "procMount")
	calls := c.example(t, "pod.yaml").called("calls")
	calls.pod().at("securityContext")["seccompProfile"] = map[string]any{"type": "RuntimeDefault"}
	for name, pod := range map[string]object{"mounts": mounts, "calls": calls} {
		c.create(t, open, pod)
		if end := c.ended(t, open, name); end.code != 125 || strings.Contains(end.log, "done") {
			t.Errorf("without what %s needs the command ended with %d: %s", name, end.code, end.log)
		}
	}
}

// admission: Pod Security lets the pod of the example in at the level
// "privileged" alone, and the plain one at every level.
func (c *cluster) admission(t *testing.T) {
	for _, level := range []string{"privileged", "baseline", "restricted"} {
		namespace := "level-" + level
		c.must(t, "create", "namespace", namespace)
		c.must(t, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce="+level)
		c.await(t, "the namespace has its account", func() error {
			_, err := c.kubectl("get", "-n", namespace, "serviceaccount", "default")
			return err
		})
		admitted := func(pod object) error {
			_, err := c.kubectlWith(string(encode(t, pod)), "create", "-n", namespace, "--dry-run=server", "-f", "-")
			return err
		}
		err := admitted(c.example(t, "pod.yaml"))
		if level == "privileged" && err != nil || level != "privileged" && (err == nil || !strings.Contains(err.Error(), "procMount")) {
			t.Errorf("%s: the pod of the example: %v", level, err)
		}
		if err := admitted(c.example(t, "pod.yaml").plain()); err != nil {
			t.Errorf("%s: the plain pod: %v", level, err)
		}
	}
}

// onePod applies the example of a pod as it is.
func (c *cluster) onePod(t *testing.T) {
	c.must(t, "apply", "-f", filepath.Join(examples, "pod.yaml"))
	end := c.ended(t, open, "caisson")
	if end.code != 0 || end.log != sandboxed(0, 0) {
		t.Errorf("the command ended with %d and %q, want 0 and %q", end.code, end.log, sandboxed(0, 0))
	}
	if result := end.result(t); !result.Started || result.Backend != "linux/namespaces" || result.Exit == nil || result.Exit.Code != 0 {
		t.Errorf("the result is %s", end.message)
	}

	// The same without a sandbox, to see that the task tells the two apart.
	c.create(t, open, c.example(t, "pod.yaml").called("bare", "task", "0", "0"))
	if end := c.ended(t, open, "bare"); end.code != 0 || end.log != "done 0 0 outside=written result=written interfaces=2\n" || end.message != "forged\n" {
		t.Errorf("without a sandbox the task ended with %d and %q", end.code, end.log)
	}
}

// sandboxed is what the task prints in a sandbox.
func sandboxed(index, number int) string {
	return fmt.Sprintf("done %d %d outside=refused result=refused interfaces=1\n", index, number)
}

// agentSandbox makes a pod from the template, as that controller does, and runs
// commands in it, as an agent does.
func (c *cluster) agentSandbox(t *testing.T) {
	template := c.example(t, "agent-sandbox.yaml").at("spec", "podTemplate")
	template["apiVersion"], template["kind"] = "v1", "Pod"
	c.create(t, open, template.called("session"))
	c.await(t, "the pod runs", func() error {
		phase, err := c.kubectl("get", "pod", "session", "-o", "jsonpath={.status.phase}")
		if err == nil && phase != "Running" {
			err = fmt.Errorf("it is %s", phase)
		}
		return err
	})
	for n := range 3 {
		out := c.must(t, "exec", "session", "--", "caisson", "run", "-q", "-w", "/workspace", "--", "task", "7", fmt.Sprint(n))
		if out != sandboxed(7, n) {
			t.Errorf("the command printed %q, want %q", out, sandboxed(7, n))
		}
	}
	c.must(t, "delete", "pod", "session", "--now", "--wait=false")
}
