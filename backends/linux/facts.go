// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// factsFormat is the version of the form of Facts.
const factsFormat = 1

// Facts is what a plan depends on. Recorded on one host it can be used on
// another, and written by hand in a test.
type Facts struct {
	Format int    `json:"format"`
	Kernel string `json:"kernel"` // release, as uname -r prints it
	Arch   string `json:"arch"`   // as in GOARCH
	UID    int    `json:"uid"`    // effective
	GID    int    `json:"gid"`    // effective
	Memory int64  `json:"memory"` // bytes of RAM

	// Landlock is the ABI version, 0 where there is none, see landlock(7).
	Landlock int `json:"landlock"`
	// Notify is true where a supervisor can answer system calls without
	// disturbing them: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, see seccomp(2).
	Notify bool `json:"notify"`
	// Nested is true inside a sandbox of caisson, see nested.
	Nested bool `json:"nested"`

	// Temp are the real directories behind /tmp and /var/tmp.
	Temp []string `json:"temp"`
	// Run is what exists of the things shown in /run.
	Run []Entry `json:"run"`
	// Mounts are the lines of /proc/self/mountinfo, each with the fields up to
	// the options, a hyphen, type and source.
	Mounts []string `json:"mounts"`
	// FileMounts are the mount points that are not directories.
	FileMounts []string `json:"file_mounts"`

	// Cgroup is the control group that this process may make others in, nil
	// where there is none.
	Cgroup *Cgroup `json:"cgroup,omitempty"`

	Trial Trial `json:"trial"`
	// Fence is what linux/landlock needs to know beside; nil in the facts of
	// linux/namespaces.
	Fence *Fence `json:"fence,omitempty"`
	// Hints explain a trial that failed; nil where it did not.
	Hints *Hints `json:"hints"`
}

// Cgroup is a directory of the file system of control groups, version 2, in
// which this process may make a group of its own and put processes there, with
// the controllers that such a group has. See "Delegation" in cgroups(7).
type Cgroup struct {
	Dir    string `json:"dir"`
	Memory bool   `json:"memory"`
	Pids   bool   `json:"pids"`
}

// Entry is one thing of the file system. Kind is "dir", "file" or "symlink",
// which has a Target.
type Entry struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`
	Target string `json:"target,omitempty"`
}

// Trial is the outcome of making a sandbox on this host. Where it failed, Step
// is the plan's step, Entry what the launcher was doing, Errno the name of the
// error ("EPERM"), and Message the whole error.
type Trial struct {
	OK      bool   `json:"ok"`
	Step    string `json:"step,omitempty"`
	Entry   string `json:"entry,omitempty"`
	Errno   string `json:"errno,omitempty"`
	Message string `json:"message,omitempty"`
}

// Fence are the facts for sandboxes without namespaces.
type Fence struct {
	// GetFD is true where a supervisor can copy the descriptors of a command,
	// see pidfd_getfd(2).
	GetFD bool `json:"get_fd"`
	// Keys is true where /proc/keys lists the keys of the user, see keyrings(7).
	Keys bool `json:"keys"`
	// Parent is where directories for temporary files are made.
	Parent string `json:"parent"`
	Trial  Trial  `json:"trial"` // of a sandbox without namespaces
}

// Hints are settings of the host that stand in the way of a sandbox.
type Hints struct {
	// MemfdOff is true where vm.memfd_noexec is 2: what the launcher executes
	// are memfds.
	MemfdOff bool `json:"memfd_off"`
	// MaxUserNamespaces is user.max_user_namespaces, -1 where unknown.
	MaxUserNamespaces int `json:"max_user_namespaces"`
	// CloneOff is true where kernel.unprivileged_userns_clone is 0.
	CloneOff bool `json:"clone_off"`
	// AppArmor is true where kernel.apparmor_restrict_unprivileged_userns is
	// set: namespaces come without capabilities.
	AppArmor bool `json:"apparmor"`
	// ProcOptions are the options of /proc that hide processes: "hidepid=2",
	// "subset=pid".
	ProcOptions string `json:"proc_options,omitempty"`
	// Confined is true where a filter and no_new_privs are on this process and
	// the environment says that caisson did it: for the words of a remedy only.
	Confined bool `json:"confined,omitempty"`
	// Container names what seems to have made this container: "docker",
	// "podman", "containerd", "kubernetes", "systemd-nspawn", …; empty outside of
	// one. This and what follows is used in the words of remedies, never to decide.
	Container string `json:"container,omitempty"`
	// GVisor is true where the kernel seems to be gVisor's.
	GVisor bool `json:"gvisor,omitempty"`
	// Slurm is true where this process seems to belong to a job of Slurm.
	Slurm bool `json:"slurm,omitempty"`
	// Profile is the profile of AppArmor that this process is confined by.
	Profile string `json:"profile,omitempty"`
}

// DecodeFacts reads the form that Probe reports. What is unknown or malformed
// is refused with the code plan-invalid.
func DecodeFacts(raw []byte) (Facts, error) {
	var f Facts
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(&f)
	if _, more := d.Token(); err == nil && more != io.EOF {
		err = errors.New("something follows them")
	}
	if err != nil {
		return Facts{}, diag.New(diag.PlanInvalid, "the facts of "+Name+": "+err.Error(), "")
	}
	if f.Format != factsFormat {
		return Facts{}, diag.New(diag.PlanInvalid, "the facts of "+Name+" have an unknown format", "record them with this version of caisson")
	}
	if f.Arch != "amd64" && f.Arch != "arm64" {
		return Facts{}, diag.New(diag.PlanInvalid, "the facts of "+Name+" are of the architecture "+diag.Quote(f.Arch), "amd64 and arm64 are supported")
	}
	return f, nil
}

// limitsMemory and limitsTasks report whether a control group can.
func (f *Facts) limitsMemory() bool { return f.Cgroup != nil && f.Cgroup.Memory }
func (f *Facts) limitsTasks() bool  { return f.Cgroup != nil && f.Cgroup.Pids }

// root reports whether the caller has user id 0.
func (f *Facts) root() bool { return f.UID == 0 }

// signalScope reports whether Landlock keeps signals inside.
func (f *Facts) signalScope() bool { return f.Landlock >= 6 }

// slashTmp is the real directory that /tmp means, or the other temporary
// directory where there is no /tmp, or empty.
func (f *Facts) slashTmp() string {
	if len(f.Temp) == 0 {
		return ""
	}
	return f.Temp[0]
}
