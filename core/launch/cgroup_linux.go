// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// cgroup is the control group of a sandbox with limits, see cgroups(7). A nil
// one limits nothing. It is locked while the sandbox lives, so that whoever
// finds one without a lock may remove it.
type cgroup struct {
	path string
	dir  *os.File
}

// cgroupPrefix begins the names of the groups that sandboxes make.
const cgroupPrefix = "caisson-"

// newCgroup makes the group that the plan's limits need; nil where none does.
// Groups that killed callers left beside it are removed.
func newCgroup(p *plan.Plan, o Options) (*cgroup, error) {
	l := cgroupOf(p)
	if l == nil {
		return nil, nil
	}
	sweepCgroups(l.Cgroup, o.Report)
	if err := noteCgroups(o.StateDir, l.Cgroup); err != nil {
		return nil, fmt.Errorf("note the control group: %w", err)
	}
	c, err := makeCgroup(l.Cgroup)
	if err != nil {
		return nil, fmt.Errorf("make a control group: %w", err)
	}
	if err := c.limit(*l); err != nil {
		c.remove()
		return nil, fmt.Errorf("limit the control group: %w", err)
	}
	return c, nil
}

// cgroupOf returns the limits that need a control group, nil without any.
func cgroupOf(p *plan.Plan) *plan.Limits {
	for _, step := range p.Steps {
		if l, ok := step.(plan.Limits); ok && l.Cgroup != "" {
			return &l
		}
	}
	return nil
}

// makeCgroup makes and locks a group. Somebody may remove it before it is
// locked.
func makeCgroup(parent string) (*cgroup, error) {
	if err := isCgroup(parent); err != nil {
		return nil, err
	}
	for range 8 {
		path, err := os.MkdirTemp(parent, cgroupPrefix+"*")
		if err != nil {
			return nil, err
		}
		dir, err := lockCgroup(path)
		if err == nil {
			return &cgroup{path, dir}, nil
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(err, unix.Rmdir(path))
		}
	}
	return nil, errors.New("each one is removed by somebody else")
}

// isCgroup keeps a plan from having directories made elsewhere.
func isCgroup(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return err
	}
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
		return fmt.Errorf("%s is no control group of version 2", dir)
	}
	return nil
}

// lockCgroup opens and locks a group. It is ENOENT if that is gone, and
// EWOULDBLOCK if it is somebody's.
func lockCgroup(path string) (*os.File, error) {
	dir, err := lockDir(path, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	// A removed directory can still be locked by who has it open.
	if _, err := os.Lstat(filepath.Join(path, "cgroup.procs")); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// limit sets the limits. Without a limit of swap what is above the other one
// would go there.
func (c *cgroup) limit(l plan.Limits) error {
	if l.Memory > 0 {
		if err := c.set("memory.max", strconv.FormatInt(l.Memory, 10)); err != nil {
			return err
		}
		if err := c.set("memory.swap.max", "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err // it is absent where the kernel knows no swap
		}
	}
	if l.ProcessesBy == "cgroup" {
		// Process 1 and, for a moment, what forks a command count too.
		return c.set("pids.max", strconv.Itoa(l.Processes+2))
	}
	return nil
}

func (c *cgroup) set(name, value string) error {
	return os.WriteFile(filepath.Join(c.path, name), []byte(value), 0)
}

// attributes has a new process begin in the group.
func (c *cgroup) attributes() *syscall.SysProcAttr {
	if c == nil {
		return nil
	}
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(c.dir.Fd())}
}

// adopt moves a process of our own that has made no other one yet into the
// group: filters of containers refuse clone3(2), by which one begins there.
func (c *cgroup) adopt(pid int) error {
	if c == nil {
		return nil
	}
	if err := c.set("cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("move a process to the control group: %w", err)
	}
	return nil
}

// kill kills all that is in the group, where the kernel can: from Linux 5.14 on.
func (c *cgroup) kill() {
	if c != nil {
		_ = c.set("cgroup.kill", "1")
	}
}

// remove removes the group, in which nothing lives any more.
func (c *cgroup) remove() {
	if c == nil {
		return
	}
	removeCgroup(c.path)
	c.dir.Close()
}

// removeCgroup removes an empty group. What died in it may take a moment to be
// gone.
func removeCgroup(path string) {
	for range 50 {
		if err := unix.Rmdir(path); err != unix.EBUSY {
			return
		}
		_, _ = unix.Poll(nil, 2)
	}
}

// cgroupsDir holds, in caisson's state, a link to each directory in which
// groups were made, named by a hash of its path.
func cgroupsDir(stateDir string) string { return filepath.Join(stateDir, "cgroups") }

// noteCgroups notes, before anything is made there, where Collect will look.
func noteCgroups(stateDir, parent string) error {
	if stateDir == "" {
		return nil
	}
	if err := os.MkdirAll(cgroupsDir(stateDir), 0o700); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parent))
	err := os.Symlink(parent, filepath.Join(cgroupsDir(stateDir), hex.EncodeToString(sum[:8])))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// collectCgroups removes the groups that killed callers left.
func collectCgroups(stateDir string, report func(diag.Diagnostic)) {
	links, err := os.ReadDir(cgroupsDir(stateDir))
	if err != nil {
		return // nothing was ever limited
	}
	for _, l := range links {
		name := filepath.Join(cgroupsDir(stateDir), l.Name())
		parent, err := os.Readlink(name)
		if err == nil {
			sweepCgroups(parent, report)
			_, err = os.Stat(parent)
		}
		if errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(name) // a login that is over
		}
	}
}

// sweepCgroups removes the groups of callers that were killed. What they
// started is dead: it ends with the caller.
func sweepCgroups(parent string, report func(diag.Diagnostic)) {
	entries, err := os.ReadDir(parent)
	if err != nil || isCgroup(parent) != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(parent, e.Name())
		if !strings.HasPrefix(e.Name(), cgroupPrefix) {
			continue
		}
		if dir, err := lockCgroup(path); err == nil {
			if unix.Rmdir(path) == nil { // one with processes stays
				tell(report, leftover("removed the control group "+diag.Quote(path)+", which a killed run left"))
			}
			dir.Close()
		}
	}
}

// Reached returns the counts so far. They are zero where nothing counts: with a
// limit of processes by RLIMIT_NPROC, and without limits.
func (s *Sandbox) Reached() Reached {
	if s.cgroup == nil {
		return Reached{}
	}
	return Reached{s.cgroup.event("memory.events", "oom_kill"), s.cgroup.event("pids.events", "max")}
}

// event reads a counter of a file with one on each line.
func (c *cgroup) event(file, name string) uint64 {
	text, err := os.ReadFile(filepath.Join(c.path, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			n, _ := strconv.ParseUint(value, 10, 64) // a kernel that prints something else counts nothing
			return n
		}
	}
	return 0
}
