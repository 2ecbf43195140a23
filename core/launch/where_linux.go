// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of the search for where a path leads: a command may ask for paths of
// two thousand names that do not exist, or of links that lead in circles.
const (
	maxClimb = 64
	maxJumps = 40 // as the kernel
)

// whereInside finds the path that a name means for a thread: absolute, real as
// far as it exists, in the thread's root. It is false where that cannot be told,
// and for what leads into /proc, whose links mean another thing to everyone.
func whereInside(tid, dir int, name string, follow bool) (real string, found, ok bool) {
	proc := "/proc/" + strconv.Itoa(tid)
	if !path.IsAbs(name) {
		link := proc + "/cwd"
		if dir != unix.AT_FDCWD {
			link = fmt.Sprintf("%s/fd/%d", proc, dir)
		}
		at, err := os.Readlink(link)
		if err != nil || !path.IsAbs(at) {
			return "", false, false
		}
		name = at + "/" + name
	}
	root, err := unix.Open(proc+"/root", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", false, false
	}
	defer unix.Close(root)
	for range maxJumps {
		var next string
		if real, found, next = walkInside(root, name, follow); next == "" {
			break
		}
		name = next
	}
	return real, found, real != "" && !inProc(real)
}

func inProc(name string) bool { return name == "/proc" || strings.HasPrefix(name, "/proc/") }

// walkInside resolves what exists of an absolute path. Next is where to go on,
// where the path ends at a link that leads nowhere.
func walkInside(root int, name string, follow bool) (real string, found bool, next string) {
	rest := ""
	for range maxClimb {
		if real, ok := openInside(root, name, follow || rest != ""); ok {
			return path.Join(real, rest), rest == "", ""
		}
		name = strings.TrimRight(name, "/")
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			break
		}
		last := name[i+1:]
		if follow || rest != "" {
			if target, dir, ok := linkInside(root, name[:i+1], last); ok && !inProc(dir) {
				if !path.IsAbs(target) {
					target = dir + "/" + target
				}
				return path.Join(dir, last, rest), false, path.Join(target, rest)
			}
		}
		rest = path.Join(last, rest)
		name = name[:i+1]
	}
	return path.Clean(name + "/" + rest), false, ""
}

// openInside gives the real path of what exists.
func openInside(root int, name string, follow bool) (string, bool) {
	fd, err := openatInside(root, name, follow)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return real, err == nil && path.IsAbs(real)
}

func openatInside(root int, name string, follow bool) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	if !follow {
		how.Flags |= unix.O_NOFOLLOW
	}
	if name = strings.TrimLeft(name, "/"); name == "" {
		name = "."
	}
	return unix.Openat2(root, name, &how)
}

// linkInside reads a link whose target cannot be opened, and says where it is.
func linkInside(root int, dir, last string) (target, real string, ok bool) {
	fd, err := openatInside(root, dir, true)
	if err != nil {
		return "", "", false
	}
	defer unix.Close(fd)
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, last, buf)
	if err != nil || n <= 0 || n == len(buf) {
		return "", "", false
	}
	real, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return string(buf[:n]), real, err == nil && path.IsAbs(real)
}
