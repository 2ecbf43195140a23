// SPDX-License-Identifier: Apache-2.0

package plan

// The steps that the Linux launcher knows. They are plain data on every
// system, so that plans for Linux can be made and read anywhere.

// Namespaces starts process 1 in new namespaces of the listed kinds: "user",
// "mount", "pid", "net", "ipc", "uts", "cgroup". IDs is "self" (the caller's
// user and group only) or "all" (every id onto itself, for a root caller).
// See namespaces(7), user_namespaces(7).
type Namespaces struct {
	Kinds    []string `json:"kinds"`
	IDs      string   `json:"ids"`
	Loopback bool     `json:"loopback"` // bring up the loopback device of the new network
}

// ReadOnlyRoot makes every mount read-only and private, and devices on them
// useless, see mount_setattr(2).
type ReadOnlyRoot struct{}

// Scratch makes one tmpfs that the private directories and covers of the
// following steps are parts of. Writing beyond Bytes or Inodes gives ENOSPC
// inside; the host is unharmed.
type Scratch struct {
	Bytes  int64 `json:"bytes"`
	Inodes int64 `json:"inodes"`
}

// Private mounts an empty directory of the scratch at Path.
type Private struct {
	Path     string `json:"path"`
	Mode     uint32 `json:"mode"`
	ReadOnly bool   `json:"read_only"` // for commands; the launcher can still make mount points
}

// Devices mounts a minimal /dev: the listed devices of the host, standard
// links, /dev/shm, a new devpts, and the caller's terminal as /dev/console.
type Devices struct {
	Names []string `json:"names"`
}

// Link makes a symbolic link inside a private directory.
type Link struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

// Bind mounts the host's Path onto the same path. Access "read" or "write".
// Kind is "dir", "file" or "symlink" (the link itself). Role says what for:
// "root" (a writable root), "write" (writable inside something that is not),
// "pin" (an ancestor that cannot be moved), "protect", "show". Dev and Ino are
// those found when the policy was resolved; a difference stops the launch, so
// does a symbolic link in any but the last component. Zero means not checked.
// Source, if not empty, is mounted onto Path instead of the host's Path.
type Bind struct {
	Path   string `json:"path"`
	Source string `json:"source,omitempty"`
	Access string `json:"access"`
	Kind   string `json:"kind"`
	Role   string `json:"role"`
	Dev    uint64 `json:"dev,omitempty"`
	Ino    uint64 `json:"ino,omitempty"`
}

// Cover mounts an empty thing without permissions over Path: a directory or,
// where Kind is not "dir", a file. Optional covers may fail with ENOENT.
type Cover struct {
	Path     string `json:"path"`
	Kind     string `json:"kind"`
	Optional bool   `json:"optional,omitempty"`
}

// MountPoint makes an empty directory or file, with the directories above it,
// inside a private directory or a cover, for a later bind.
type MountPoint struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
}

// Proc mounts a new /proc of the new pid namespace, read-only as a whole, with
// the listed entries (relative to /proc) covered. Missing ones are skipped.
type Proc struct {
	Covered []string `json:"covered,omitempty"`
}

// Hold keeps an absent path from being created: a placeholder of the given
// kind ("dir", "file", "link") takes its place on the host while the sandbox
// lives and is covered read-only inside. Content is a file's text or a link's
// target.
type Hold struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"`
	Content string `json:"content,omitempty"`
}

// Watch has the supervisor look at absent paths during the run: what appears
// at a Quarantine path is moved to caisson's state; what appears at a Report
// path is reported at the end. Git lists git directories whose new
// repositories, gitlinks and sequencer todos are reported. Hidden lists names
// that lead through symbolic links to what covers hide; the names of covers are
// watched in any case.
type Watch struct {
	Quarantine []string `json:"quarantine,omitempty"`
	Report     []string `json:"report,omitempty"`
	Git        []string `json:"git,omitempty"`
	Hidden     []string `json:"hidden,omitempty"`
}

// Limits sets resource limits of the commands. Core is RLIMIT_CORE in bytes
// (1 keeps a piped core_pattern from running, see core(5)). Processes, if not
// 0, is the most tasks that the sandbox may have at once; ProcessesBy is
// "rlimit" or "cgroup". Memory is in bytes, by "cgroup", see cgroups(7). Cgroup
// is the directory in which the sandbox's own control group is made.
type Limits struct {
	Core         int64  `json:"core"`
	Processes    int    `json:"processes,omitempty"`
	ProcessesBy  string `json:"processes_by,omitempty"`
	Memory       int64  `json:"memory,omitempty"`
	Cgroup       string `json:"cgroup,omitempty"`
	Milliseconds int64  `json:"milliseconds,omitempty"` // wall time
}

// Privileges sets no_new_privs, locks the secure bits so that user id 0 means
// nothing, and empties all capability sets and the bounding set.
type Privileges struct{}

// Landlock restricts the file system and IPC once more, see landlock(7).
// Handled lists the access rights that need a rule; Scoped the IPC scopes.
type Landlock struct {
	Handled []string       `json:"handled"`
	Scoped  []string       `json:"scoped,omitempty"`
	Rules   []LandlockRule `json:"rules"`
}

// LandlockRule allows access rights beneath a path, as seen inside. In a plan
// without namespaces the path "{tmp}" is the directory of the step temp-dir.
//
// Landlock can only allow. Where Except lists paths beneath Path, each entry
// beside them and beside the directories on the way to them is allowed instead,
// as the launcher finds them. Those directories themselves are not, so that they
// cannot be listed, and neither is what appears in them later.
//
// Dev and Ino are those found when the policy was resolved, as in Bind.
type LandlockRule struct {
	Path   string   `json:"path"`
	Access []string `json:"access"`
	Except []string `json:"except,omitempty"`
	Dev    uint64   `json:"dev,omitempty"`
	Ino    uint64   `json:"ino,omitempty"`
}

// Metadata has the supervisor answer the calls that change mode, owner and
// times of files, which Landlock does not cover, and those that watch files. A
// change is made where the step landlock allows writing, but not beneath
// Protect; a file is watched where it may be read.
type Metadata struct {
	Protect []string `json:"protect,omitempty"`
}

// ProcessGroup says whether commands stay in the caller's process group or
// get their own, with the terminal handed over.
type ProcessGroup struct {
	Own bool `json:"own"`
}

// Broker answers connect for the commands: a unix socket of a path is reached
// only if a process of the sandbox listens on it or Allow names it. With Makes
// the supervisor makes the unix sockets of the commands too, where it cannot
// copy those that they make.
type Broker struct {
	Allow []string `json:"allow,omitempty"`
	Makes bool     `json:"makes,omitempty"`
}

// Egress joins the sandbox's network to the host's at single ports of the
// loopbacks; who owns the sandbox passes the bytes on. At Proxy, if not 0, it
// serves as a proxy for what the policy lists. At the ports of Loopback it passes
// connections from inside to the same port of the host's loopback, at those of
// Publish connections on the host's loopback to the same port inside.
type Egress struct {
	Proxy    int   `json:"proxy,omitempty"`
	Loopback []int `json:"loopback,omitempty"`
	Publish  []int `json:"publish,omitempty"`
}

func (Namespaces) Name() string   { return "namespaces" }
func (ReadOnlyRoot) Name() string { return "read-only-root" }
func (Scratch) Name() string      { return "scratch" }
func (Private) Name() string      { return "private" }
func (Devices) Name() string      { return "devices" }
func (Link) Name() string         { return "link" }
func (Bind) Name() string         { return "bind" }
func (Cover) Name() string        { return "cover" }
func (MountPoint) Name() string   { return "mount-point" }
func (Proc) Name() string         { return "proc" }
func (Hold) Name() string         { return "hold" }
func (Watch) Name() string        { return "watch" }
func (Limits) Name() string       { return "limits" }
func (Privileges) Name() string   { return "privileges" }
func (Landlock) Name() string     { return "landlock" }
func (Metadata) Name() string     { return "metadata" }
func (ProcessGroup) Name() string { return "process-group" }
func (Broker) Name() string       { return "broker" }
func (Egress) Name() string       { return "egress" }
func (Seccomp) Name() string      { return "seccomp" }
