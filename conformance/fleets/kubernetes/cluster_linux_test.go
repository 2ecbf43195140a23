// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long anything may take before the test gives it up. It is no
// measure of speed: the machine may be busy.
const patience = 20 * time.Minute

// cluster is a control plane and one node.
type cluster struct {
	dir     string
	keys    keys
	daemons map[int]bool // by process
}

const api = "https://127.0.0.1:6443"

// start makes a cluster that is ready for pods.
func start(t *testing.T, dir string) *cluster {
	t.Helper()
	arrange(t, dir)
	c := &cluster{dir: dir, keys: makeKeys(t, makeDir(t, dir, "keys")), daemons: map[int]bool{}}
	c.daemon(t, "etcd", "etcd", "--data-dir", filepath.Join(dir, "etcd"), "--log-level", "error")
	c.daemon(t, "apiserver", tool("kube-apiserver"), "--etcd-servers=http://127.0.0.1:2379", "--bind-address=127.0.0.1", "--advertise-address="+nodeIP,
		"--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/24", "--endpoint-reconciler-type=none",
		"--client-ca-file="+c.keys.ca, "--tls-cert-file="+c.keys.server, "--tls-private-key-file="+c.keys.serverKey,
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-client-certificate="+c.keys.client, "--kubelet-client-key="+c.keys.clientKey,
		"--service-account-issuer="+api, "--service-account-key-file="+c.keys.accounts, "--service-account-signing-key-file="+c.keys.accounts)
	writeFile(t, c.config(), fmt.Sprintf(kubeconfig, api, c.keys.ca, c.keys.client, c.keys.clientKey))
	c.await(t, "the API server answers", func() error {
		_, err := c.kubectl("get", "--raw", "/readyz")
		return err
	})
	c.daemon(t, "controllers", tool("kube-controller-manager"), "--kubeconfig="+c.config(), "--leader-elect=false", "--bind-address=127.0.0.1",
		"--root-ca-file="+c.keys.ca, "--service-account-private-key-file="+c.keys.accounts)
	c.daemon(t, "scheduler", tool("kube-scheduler"), "--kubeconfig="+c.config(), "--leader-elect=false", "--bind-address=127.0.0.1")
	c.node(t)
	return c
}

// node starts the runtime of containers and the kubelet.
func (c *cluster) node(t *testing.T) {
	t.Helper()
	networks := makeDir(t, c.dir, "networks")
	writeFile(t, networks+"/10-pods.conflist", fmt.Sprintf(network, bridge, podSubnet, nodeIP, filepath.Join(c.dir, "addresses")))
	runtime := filepath.Join(c.dir, "containerd.toml")
	writeFile(t, runtime, fmt.Sprintf(containerd, filepath.Join(c.dir, "containerd"), tool("runc"), networks, sandboxImage))
	c.daemon(t, "containerd", tool("containerd"), "--config", runtime, "--log-level", "warn")
	c.await(t, "containerd answers", func() error {
		_, err := output(exec.Command(tool("ctr"), "version"))
		return err
	})
	kubelet := filepath.Join(c.dir, "kubelet.yaml")
	writeFile(t, kubelet, fmt.Sprintf(kubeletConfig, c.keys.ca, c.keys.server, c.keys.serverKey,
		makeDir(t, c.dir, "volumes"), makeDir(t, c.dir, "run", "pods")))
	c.daemon(t, "kubelet", tool("kubelet"), "--config="+kubelet, "--kubeconfig="+c.config(), "--root-dir="+makeDir(t, c.dir, "kubelet"),
		"--hostname-override=node", "--node-ip="+nodeIP)
	c.await(t, "the node is ready", func() error {
		out, err := c.kubectl("get", "node", "node", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		if err == nil && out != "True" {
			err = fmt.Errorf("ready is %q", out)
		}
		return err
	})
}

func (c *cluster) config() string { return filepath.Join(c.dir, "kubeconfig") }

// tool is a program that was built for the cluster.
func tool(name string) string { return filepath.Join(*programs, name) }

// daemon starts a program that runs until the test ends, with its messages in
// a file. Their end is printed where the test fails.
func (c *cluster) daemon(t *testing.T, name, program string, args ...string) {
	t.Helper()
	log := filepath.Join(makeDir(t, c.dir, "messages"), name)
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Env = append(os.Environ(), "PATH="+*programs+":"+os.Getenv("PATH"))
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	c.daemons[cmd.Process.Pid] = true
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() //nolint:errcheck // it was killed
		if t.Failed() {
			t.Logf("the last messages of %s:\n%s", name, tail(log, 30))
		}
	})
}

func tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), lines)
}

func lastLines(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// await asks until the answer is no error.
func (c *cluster) await(t *testing.T, what string, ask func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		var never final
		if errors.As(err, &never) || time.Now().After(end) {
			t.Fatalf("wait until %s: %v", what, err)
		}
	}
}

// final is an answer that no further asking can change.
type final struct{ error }

// kubectl runs it as the cluster's administrator.
func (c *cluster) kubectl(args ...string) (string, error) { return c.kubectlWith("", args...) }

func (c *cluster) kubectlWith(stdin string, args ...string) (string, error) {
	cmd := exec.Command(tool("kubectl"), append([]string{"--kubeconfig", c.config()}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	return output(cmd)
}

func (c *cluster) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.kubectl(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
