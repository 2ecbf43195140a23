// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

// A command owns the directories of its workspace, and can take from their
// owner the right to change them, so that caisson could not move away what
// appeared there nor remove its placeholders. The owner can give it back.

// writableRoots are the directories of the host that commands may write.
func writableRoots(p *plan.Plan) []string {
	var roots []string
	for _, step := range p.Steps {
		if b, ok := step.(plan.Bind); ok && b.Access == "write" && b.Kind == "dir" && b.Role != "pin" && b.Source == "" {
			roots = append(roots, b.Path)
		}
	}
	return roots
}

// unlock gives the owner all rights to the directories that lead to names: to
// those below roots, and to the one that holds the name. It returns what sets
// their modes back.
func unlock(names, roots []string) (relock func()) {
	type changed struct {
		fd   int
		mode uint32
	}
	var list []changed
	seen := map[string]bool{}
	for _, name := range names {
		var dirs []string
		for dir := path.Dir(name); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			dirs = append(dirs, dir)
			if !below(roots, dir) {
				break
			}
		}
		for _, dir := range slices.Backward(dirs) {
			fd, err := openParent(dir)
			if err != nil {
				break
			}
			if mode, ok := giveOwner(fd); ok {
				list = append(list, changed{fd, mode})
			} else {
				unix.Close(fd)
			}
		}
	}
	return func() {
		for _, c := range slices.Backward(list) {
			_ = unix.Chmod(throughFD(c.fd), c.mode)
			unix.Close(c.fd)
		}
	}
}

// giveOwner gives the owner all rights to a directory, if that is the caller
// and lacks some. It returns the mode before, and whether it was changed.
func giveOwner(fd int) (mode uint32, ok bool) {
	const all = 0o700
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != unix.Geteuid() || st.Mode&all == all {
		return 0, false
	}
	mode = st.Mode &^ unix.S_IFMT
	return mode, unix.Chmod(throughFD(fd), mode|all) == nil
}

// throughFD names what an O_PATH descriptor is of, for calls that take none.
func throughFD(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }
