// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
)

// examples are what users are told to apply.
const examples = "../../../docs/fleets/kubernetes"

// object is one of Kubernetes, as JSON has it.
type object map[string]any

// at returns what lies below the keys, made where it is absent.
func (o object) at(keys ...string) object {
	for _, key := range keys {
		next, ok := o[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			o[key] = next
		}
		o = next
	}
	return o
}

// pod is the specification of an object's pods.
func (o object) pod() object {
	if o["kind"] == "Pod" {
		return o.at("spec")
	}
	return o.at("spec", "template", "spec")
}

// container is the only one of a pod's.
func (o object) container() object {
	return o.pod()["containers"].([]any)[0].(map[string]any)
}

// called gives an object another name, and what is run in its pods.
func (o object) called(name string, command ...string) object {
	o.at("metadata")["name"] = name
	if len(command) > 0 {
		o.container()["command"] = command
		delete(o.container(), "args")
	}
	return o
}

// plain takes away what the examples add for caisson, which leaves a pod as the
// level "restricted" of Pod Security asks for it.
func (o object) plain() object {
	delete(o.pod(), "hostUsers")
	delete(o.container().at("securityContext"), "procMount")
	o.pod().at("securityContext")["seccompProfile"] = map[string]any{"type": "RuntimeDefault"}
	return o
}

// example reads a file of the examples.
func (c *cluster) example(t *testing.T, file string) object {
	t.Helper()
	// Of all that kubectl does, this alone reads kinds that the server lacks.
	out := c.must(t, "label", "--local", "-o", "json", "-f", filepath.Join(examples, file), "example=true")
	return decode(t, out)
}

func decode(t *testing.T, text string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return o
}

// create makes an object in a namespace.
func (c *cluster) create(t *testing.T, namespace string, o object) {
	t.Helper()
	if _, err := c.kubectlWith(string(encode(t, o)), "create", "-n", namespace, "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// ending is how a pod ended.
type ending struct {
	code    int
	message string // what the container wrote for that purpose
	log     string
}

// ended waits for the end of a pod's only container.
func (c *cluster) ended(t *testing.T, namespace, name string) ending {
	t.Helper()
	var e ending
	c.await(t, "the pod "+name+" ends", func() error {
		out, err := c.kubectl("get", "pod", "-n", namespace, name, "-o", "json")
		if err != nil {
			return err
		}
		var pod podState
		if err := json.Unmarshal([]byte(out), &pod); err != nil {
			return final{err}
		}
		if pod.Status.Phase != "Succeeded" && pod.Status.Phase != "Failed" {
			return fmt.Errorf("it is %s: %+v", pod.Status.Phase, pod.Status.ContainerStatuses)
		}
		if len(pod.Status.ContainerStatuses) != 1 || pod.Status.ContainerStatuses[0].State.Terminated == nil {
			return final{fmt.Errorf("it ended without its container: %s", out)}
		}
		end := pod.Status.ContainerStatuses[0].State.Terminated
		e.code, e.message = end.ExitCode, end.Message
		return nil
	})
	e.log = c.must(t, "logs", "-n", namespace, name)
	return e
}

// podState is what is read of a pod's state.
type podState struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Status struct {
		Phase             string
		ContainerStatuses []struct {
			RestartCount int
			State        struct {
				Waiting    *struct{ Reason, Message string }
				Terminated *struct {
					ExitCode int
					Message  string
				}
			}
		}
	}
}

// jobState is what is read of a job's state.
type jobState struct {
	Status struct {
		Active, Succeeded, Failed int
		Conditions                []struct{ Type, Status, Reason, Message string }
	}
}

// finished waits until a job is complete or has failed, and returns the type,
// the reason and the message of its last condition.
func (c *cluster) finished(t *testing.T, namespace, name string) (kind, reason, message string) {
	t.Helper()
	c.await(t, "the job "+name+" ends", func() error {
		out, err := c.kubectl("get", "job", "-n", namespace, name, "-o", "json")
		if err != nil {
			return err
		}
		var job jobState
		if err := json.Unmarshal([]byte(out), &job); err != nil {
			return final{err}
		}
		for _, condition := range job.Status.Conditions {
			if condition.Status == "True" && (condition.Type == "Complete" || condition.Type == "Failed") {
				kind, reason, message = condition.Type, condition.Reason, condition.Message
				return nil
			}
		}
		return fmt.Errorf("it is %+v", job.Status)
	})
	return kind, reason, message
}
