// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Addresses of the cluster, in its own network: nothing else is there, and no
// road leads out of it.
const (
	bridge    = "caisson0"
	nodeIP    = "10.97.0.1"
	podSubnet = "10.97.0.0/24"
)

// tunables are what a kubelet sets for the whole machine. Files with the values
// that it wants lie over them, so that it leaves the machine's as they are.
var tunables = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// arrange gives the namespaces of this process their mounts and network. What
// daemons keep at fixed places is kept below dir.
func arrange(t *testing.T, dir string) {
	t.Helper()
	mount(t, "", "/", "", syscall.MS_REC|syscall.MS_PRIVATE)
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/run", "/var/lib", "/var/log"} {
		if strings.HasPrefix(cwd+"/", name+"/") {
			t.Fatalf("the checkout lies below %s, where the cluster keeps files of its own", name)
		}
		mount(t, makeDir(t, dir, name), name, "", syscall.MS_BIND)
	}
	mount(t, "proc", "/proc", "proc", 0)
	// In a user namespace /proc can only be mounted where one is seen that
	// nothing covers, as on a real node; the files below cover the other one.
	mount(t, "proc", makeDir(t, dir, "proc"), "proc", 0)
	for name, value := range tunables {
		file := filepath.Join(makeDir(t, dir, "tunables"), strings.ReplaceAll(name, "/", "-"))
		writeFile(t, file, value+"\n")
		mount(t, file, "/proc/sys/"+name, "", syscall.MS_BIND)
	}
	tops, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	for _, top := range tops {
		mount(t, filepath.Join(top, groupName(dir)), top, "", syscall.MS_BIND)
	}
	for _, line := range []string{
		"link set lo up", "link add " + bridge + " type bridge", "addr add " + nodeIP + "/24 dev " + bridge, "link set " + bridge + " up",
	} {
		run(t, "ip", strings.Fields(line)...)
	}
}

// joinGroups moves this process to control groups of the cluster's own. What is
// started in a new namespace for them takes those for the tops.
func joinGroups(name string) error {
	tops, err := hierarchies()
	if err != nil {
		return err
	}
	for _, top := range tops {
		own := filepath.Join(top, name)
		if err := os.Mkdir(own, 0o755); err != nil {
			return err
		}
		// A group has no processors and no memory until it is told which.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(top, file))
			if err == nil {
				err = os.WriteFile(filepath.Join(own, file), value, 0o644)
			}
			if err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// hierarchies are the tops of the control groups, each once, on a machine where
// they are of version 1; one without controllers, of version 2, is often beside
// them. Where there is version 2 alone there are none.
func hierarchies() ([]string, error) {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err == nil {
		return nil, nil
	}
	files, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if err != nil {
		return nil, err
	}
	var tops []string
	for _, file := range files {
		top, err := filepath.EvalSymlinks(filepath.Dir(file))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(tops, top) {
			tops = append(tops, top)
		}
	}
	return tops, nil
}

func mount(t *testing.T, from, to, kind string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount(from, to, kind, flags, ""); err != nil {
		t.Fatalf("mount %s%s on %s: %v", from, kind, to, err)
	}
}

func makeDir(t *testing.T, parts ...string) string {
	t.Helper()
	dir := filepath.Join(parts...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := output(exec.Command(name, args...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func output(c *exec.Cmd) (string, error) {
	var errs strings.Builder
	if c.Stderr == nil {
		c.Stderr = &errs
	}
	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, errs.String())
	}
	return string(out), nil
}
