// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// TestPlace shows the guesses trees of files and variables.
func TestPlace(t *testing.T) {
	t.Parallel()
	const linux = "Linux version 6.8.0-45-generic (buildd@host) (gcc-13) #45-Ubuntu SMP\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		env   map[string]string
		want  Hints
	}{
		{"a machine", map[string]string{"proc/version": linux, "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n", "proc/self/attr/current": "unconfined\n"}, nil, Hints{}},
		{"nothing to read", nil, nil, Hints{}},
		{"Docker", map[string]string{".dockerenv": ""}, nil, Hints{Container: "docker"}},
		{"Docker by its group", map[string]string{"proc/self/cgroup": "12:pids:/docker/0123abc\n0::/docker/0123abc\n"}, nil, Hints{Container: "docker"}},
		{"Docker by systemd's group", map[string]string{"proc/self/cgroup": "0::/system.slice/docker-0123abc.scope\n"}, nil, Hints{Container: "docker"}},
		{"Docker by a mount", map[string]string{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "722 701 8:1 /var/lib/docker/containers/0123abc/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"}, nil, Hints{Container: "docker"}},
		{"Docker under AppArmor", map[string]string{".dockerenv": "", "proc/self/attr/current": "docker-default (enforce)\n"}, nil, Hints{Container: "docker", Profile: "docker-default"}},
		{"a profile that only complains", map[string]string{"proc/self/attr/current": "tool (complain)\n"}, nil, Hints{}},
		{"a profile that confines nothing", map[string]string{"proc/self/attr/current": "caisson (unconfined)\n"}, nil, Hints{}},
		{"SELinux", map[string]string{"proc/self/attr/current": "system_u:system_r:container_t:s0:c1,c2\x00"}, nil, Hints{}},
		{"Podman", map[string]string{"run/.containerenv": "engine=\"podman-4.3.1\"\n"}, nil, Hints{Container: "podman"}},
		{"Podman by its group", map[string]string{"proc/self/cgroup": "0::/machine.slice/libpod-0123.scope/container\n"}, nil, Hints{Container: "podman"}},
		{"a pod", nil, map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, Hints{Container: "kubernetes"}},
		{"a pod with a token", map[string]string{"var/run/secrets/kubernetes.io/serviceaccount/token": ""}, nil, Hints{Container: "kubernetes"}},
		{"a pod by its group", map[string]string{"proc/self/cgroup": "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-0123.scope\n"}, nil, Hints{Container: "kubernetes"}},
		{"a pod by a mount", map[string]string{"proc/self/mountinfo": "722 701 8:1 /var/lib/kubelet/pods/01-23/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"}, nil, Hints{Container: "kubernetes"}},
		{"a pod that Docker's image was made for", map[string]string{".dockerenv": ""}, map[string]string{"KUBERNETES_SERVICE_HOST": "::1"}, Hints{Container: "kubernetes"}},
		{"containerd", map[string]string{"proc/self/mountinfo": "1 0 0:9 / / rw - overlay overlay rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/3/fs\n"}, nil, Hints{Container: "containerd"}},
		{"systemd-nspawn", map[string]string{"run/systemd/container": "systemd-nspawn\n"}, nil, Hints{Container: "systemd-nspawn"}},
		{"a word that drives terminals", map[string]string{"run/systemd/container": "a\x1b[31mb\xff\u202e\n"}, nil, Hints{Container: "a[31mb"}},
		{"gVisor under Docker", map[string]string{".dockerenv": "", "proc/version": "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n"}, nil, Hints{Container: "docker", GVisor: true}},
		{"a newer gVisor", map[string]string{"proc/version": "Linux version 4.19.0-gvisor #1 SMP Sun Jan 10 15:06:54 PST 2016\n"}, nil, Hints{GVisor: true}},
		{"gVisor by its file", map[string]string{"proc/sentry-meminfo": ""}, map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, Hints{Container: "kubernetes", GVisor: true}},
		{"a job of Slurm", nil, map[string]string{"SLURM_JOB_ID": "17"}, Hints{Slurm: true}},
		{"a job in a group of version 1", map[string]string{"proc/self/cgroup": "4:memory:/slurm/uid_1000/job_17/step_0\n"}, nil, Hints{Slurm: true}},
		{"a job in a group of version 2", map[string]string{"proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_17/step_0/user/task_0\n"}, nil, Hints{Slurm: true}},
		{"a container in a job", map[string]string{"run/.containerenv": ""}, map[string]string{"SLURM_JOB_ID": "17"}, Hints{Container: "podman", Slurm: true}},
	} {
		files := fstest.MapFS{}
		for name, text := range c.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		var got Hints
		place(files, func(name string) string { return c.env[name] }, &got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

// TestGuessesDecideNothing: whoever can set a variable or write a file that the
// guesses look at changes what is said, never what is offered.
func TestGuessesDecideNothing(t *testing.T) {
	t.Parallel()
	guesses := []Hints{{}}
	for _, container := range []string{"", "docker", "podman", "containerd", "kubernetes", "systemd-nspawn"} {
		for _, odd := range []Hints{{}, {GVisor: true}, {Slurm: true}, {Profile: "docker-default"}, {GVisor: true, Slurm: true, Profile: "x"}} {
			odd.Container = container
			guesses = append(guesses, odd)
		}
	}
	offered := func(s guarantee.Set) string { return strings.Join(ids(s), " ") }
	for name, host := range map[string]Facts{
		"usable": userFacts(), "as root": rootFacts(),
		"no Landlock":  with(userFacts(), func(f *Facts) { f.Landlock = 0 }),
		"refused":      with(userFacts(), func(f *Facts) { f.Trial = Trial{Step: "namespaces", Errno: "EPERM", Message: "no"} }),
		"mask on proc": with(userFacts(), func(f *Facts) { f.Trial = Trial{Step: "proc", Errno: "EPERM", Message: "no"} }),
	} {
		host.Fence = &Fence{Trial: Trial{OK: host.Landlock > 0}}
		host.Hints = &Hints{MaxUserNamespaces: -1}
		strong, weak := offered(offers(host)), offered(fenceOffers(host))
		for _, guess := range guesses {
			guess.MaxUserNamespaces = -1
			host.Hints = &guess
			if got := offered(offers(host)); got != strong {
				t.Errorf("%s, %+v: %s offers %q instead of %q", name, guess, Name, got, strong)
			}
			if got := offered(fenceOffers(host)); got != weak {
				t.Errorf("%s, %+v: without namespaces there is %q instead of %q", name, guess, got, weak)
			}
			o := host.obstacle()
			if (o == nil) != (strong != "") || o != nil && (o.reason == "" || o.remedy == "") {
				t.Errorf("%s, %+v: %+v", name, guess, o)
			}
		}
	}
}

func ids(s guarantee.Set) []string {
	var list []string
	for _, info := range guarantee.All() {
		if _, ok := s[info.ID]; ok {
			list = append(list, string(info.ID))
		}
	}
	return list
}

func with(f Facts, change func(*Facts)) Facts {
	change(&f)
	return f
}
