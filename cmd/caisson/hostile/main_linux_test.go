// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/cmd/internal/testkit"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// actVariable names the act that a re-executed test binary does.
const actVariable = "CAISSON_HOSTILE_ACT"

func TestMain(m *testing.M) {
	if id := os.Getenv(actVariable); id != "" {
		f, ok := acts()[id]
		if !ok {
			fmt.Fprintln(os.Stderr, "no act", id)
			os.Exit(99)
		}
		if err := f(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// act is hostile code; it gets the paths of the bait.
type act func(args []string) error

// acts returns everything that the re-executed binary can do.
func acts() map[string]act {
	all := map[string]act{}
	for _, group := range []map[string]act{fileActs(), createActs(), networkActs(), packetActs(), processActs(), kernelActs()} {
		for id, f := range group {
			all[id] = f
		}
	}
	return all
}

// scene is a directory outside every temporary directory, with a workspace and
// a copy of the test binary that is visible inside.
type scene struct {
	dir, work, outside, binary string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	base := "/var"
	if os.Geteuid() != 0 {
		base, _ = os.UserHomeDir()
	}
	dir, err := os.MkdirTemp(base, "caisson-hostile-")
	if err != nil {
		t.Skipf("no place outside /tmp for the bait: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &scene{dir: dir, work: dir + "/work", outside: dir + "/outside", binary: dir + "/hostile"}
	for _, d := range []string{s.work, s.outside} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := testkit.CopyFile(s.binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// open opens a sandbox on the workspace of the scene.
func (s *scene) open(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	return s.openWith(t, policy.Standard(s.work))
}

// networks opens a sandbox for each kind of network that is not the host's own.
func (s *scene) networks(t *testing.T) map[string]*sandbox.Sandbox {
	t.Helper()
	listed := policy.Standard(s.work)
	listed.Network.Mode, listed.Network.Allow = policy.Allowlist, []string{"*", "0.0.0.0/0", "127.0.0.0/8", "::/0", "::1"}
	return map[string]*sandbox.Sandbox{"offline": s.open(t), "with a list": s.openWith(t, listed)}
}

func (s *scene) openWith(t *testing.T, p policy.Policy) *sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.Open(context.Background(), p, nil)
	if err != nil {
		t.Skipf("no sandbox on this host: %v", err)
	}
	t.Cleanup(func() { sb.Close() })
	return sb
}

// plain runs an act without a sandbox.
func (s *scene) plain(id string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Dir = s.work
	cmd.Env = append(os.Environ(), actVariable+"="+id)
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

// inside runs an act in a sandbox.
func (s *scene) inside(sb *sandbox.Sandbox, id string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := sb.Command(ctx, s.binary, args...)
	cmd.Dir = s.work
	cmd.Env = append(os.Environ(), actVariable+"="+id)
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

// snapshot describes everything about a tree that an act could change, but the
// times of reading.
func snapshot(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %o %d:%d %d links %d inode %d ctime %d.%09d", name, st.Mode, st.Uid, st.Gid, st.Size, st.Nlink, st.Ino, st.Ctim.Sec, st.Ctim.Nsec)
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", text)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
