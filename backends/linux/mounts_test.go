// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/policy"
)

func TestShortMount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue", "36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root"},
		{"36 35 0:5 / /a rw - tmpfs none rw", "36 35 0:5 / /a rw - tmpfs none"},
		{`36 35 0:5 / /a\040-\040b rw shared:1 master:2 - fuse.x a\040b rw`, `36 35 0:5 / /a\040-\040b rw - fuse.x a\040b`},
		{"36 35 0:5 / /\xc3\xa9\xff rw - tmpfs none rw", `36 35 0:5 / /\303\251\377 rw - tmpfs none`},
		{"36 35 0:5 / /a rw", ""},
		{"36 35 0:5 / - tmpfs none rw", ""},
		{"", ""},
	} {
		if got, ok := shortMount(c.line); got != c.want || ok != (c.want != "") {
			t.Errorf("shortMount(%q) = %q, %v", c.line, got, ok)
		}
	}
}

func TestParseMount(t *testing.T) {
	t.Parallel()
	m, err := parseMount(`36 35 98:0 /a\134b /\303\251\040x\011\012 rw - fuse.x some\040one`)
	want := mount{id: "36", parent: "35", device: "98:0", root: `/a\b`, point: "/é x\t\n", fstype: "fuse.x", source: "some one"}
	if err != nil || m != want {
		t.Errorf("got %+v, %v", m, err)
	}
	for _, line := range []string{"", "1 2 3:4 / /a rw", "1 2 3:4 / a rw - x y", "1 2 3:4 / - x y"} {
		if m, err := parseMount(line); err == nil {
			t.Errorf("%q is read as %+v", line, m)
		}
	}
}

func table(t testing.TB, lines ...string) *mounts {
	t.Helper()
	m, err := parseMounts(lines)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMountsAt(t *testing.T) {
	t.Parallel()
	m := table(t,
		"1 0 0:1 / / rw - rootfs rootfs",
		"2 1 8:1 / / rw - ext4 over-rootfs",
		"3 2 8:2 / /home rw - ext4 home",
		"4 3 8:3 / /home/u rw - ext4 u",
		"5 3 8:4 / /home/u rw - ext4 under-a-later-one",
		"6 2 8:5 / /mnt rw - ext4 mnt",
		"7 6 8:6 / /mnt/x rw - ext4 x",
		"8 6 8:7 / /mnt rw - ext4 over-mnt",
		"9 8 8:8 / /mnt/x rw - ext4 new-x",
	)
	for name, want := range map[string]string{
		"/": "2", "/etc": "2", "/home": "3", "/home/v": "3", "/home/u": "5", "/home/u/x": "5", "/homely": "2",
		"/mnt": "8", "/mnt/y": "8", "/mnt/x/z": "9",
	} {
		if got := m.at(name); got == nil || got.id != want {
			t.Errorf("%s lies in %+v, want mount %s", name, got, want)
		}
	}
	for _, c := range m.list {
		if want := strings.Contains("2 3 5 8 9", c.id); m.visible(c) != want {
			t.Errorf("mount %s is visible: %v", c.id, !want)
		}
	}
	if at := table(t).at("/"); at != nil {
		t.Errorf("an empty table has %+v at /", at)
	}
}

// TestAliases names every name of a file that a mount table knows.
func TestAliases(t *testing.T) {
	t.Parallel()
	dir := rule(policy.Hidden, policy.KindDir, "/home/u/.ssh")
	base := []string{"1 0 8:1 / / rw - ext4 a", "2 1 8:2 / /home rw - ext4 b"}
	for _, c := range []struct {
		name   string
		mounts []string
		files  []string
		rule   policy.Rule
		want   []string // access, kind and path
	}{
		{"no other name", nil, nil, dir, nil},
		{"a bind mount of a directory above", []string{"3 1 8:2 /u /srv/u rw - ext4 b"}, nil, dir, []string{"hide dir /srv/u/.ssh"}},
		{"a bind mount of the directory", []string{"3 1 8:2 /u/.ssh /keys rw - ext4 b"}, nil, dir, []string{"hide dir /keys"}},
		{"a bind mount of a file inside", []string{"3 1 8:2 /u/.ssh/id /key rw - ext4 b"}, []string{"/key"}, dir, []string{"hide file /key"}},
		{"the device mounted a second time", []string{"3 1 8:2 / /media/disk rw - ext4 b"}, nil, dir, []string{"hide dir /media/disk/u/.ssh"}},
		{"a directory beside it", []string{"3 1 8:2 /u/.sshd /srv/x rw - ext4 b", "4 1 8:2 /v /srv/v rw - ext4 b"}, nil, dir, nil},
		{"another device with the same path", []string{"3 1 8:3 /u /srv/u rw - ext4 c"}, nil, dir, nil},
		{"a mount that another one covers", []string{"3 1 8:2 /u /srv/u rw - ext4 b", "4 1 0:9 / /srv rw - tmpfs t"}, nil, dir, nil},
		{"a name that another mount covers", []string{"3 1 8:2 /u /srv/u rw - ext4 b", "4 3 0:9 / /srv/u/.ssh rw - tmpfs t"}, nil, dir, nil},
		{"a mount inside the path itself", []string{"3 2 8:2 /u/.ssh/a /home/u/.ssh/b rw - ext4 b"}, nil, dir, nil},
		{"a mirror of what it lies in", []string{"3 2 8:2 /u /home/u/.ssh rw - ext4 b"}, nil, dir, nil},
		{"a part that is mounted inside a mirror", []string{"3 1 8:2 /u /srv/u rw - ext4 b", "4 1 8:2 / /all rw - ext4 b"}, nil, dir,
			[]string{"hide dir /srv/u/.ssh", "hide dir /all/u/.ssh"}},
		{"a protected file", []string{"3 1 8:2 /u /srv/u rw - ext4 b"}, nil, rule(policy.Read, policy.KindFile, "/home/u/ws/c"), []string{"read file /srv/u/ws/c"}},
		{"a placeholder", []string{"3 1 8:2 /u /srv/u rw - ext4 b"}, nil, held(policy.HoldDir, "/home/u/ws/.mcp.json"), []string{"read dir /srv/u/ws/.mcp.json"}},
		{"a watched name", []string{"3 1 8:2 /u /srv/u rw - ext4 b"}, nil, held(policy.HoldReport, "/home/u/ws/.gitmodules"), nil},
		{"a writable root", []string{"3 1 8:2 /u /srv/u rw - ext4 b"}, nil, root("/home/u/ws"), nil},
	} {
		var got []string
		for _, r := range aliases([]policy.Rule{c.rule}, table(t, append(base[:2:2], c.mounts...)...), c.files) {
			got = append(got, fmt.Sprintf("%v %s %s", r.Access, r.Kind, r.Path))
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
	// Subvolumes of btrfs are parts of one file system, and its top may be "/".
	subvolumes := table(t, "1 0 0:9 / / rw - btrfs d", "2 1 0:9 /@home /home rw - btrfs d")
	got := aliases([]policy.Rule{dir}, subvolumes, nil)
	if len(got) != 1 || got[0].Path != "/@home/u/.ssh" {
		t.Errorf("subvolume: %+v", got)
	}
}

// FuzzMounts reads any text as a mount table and asks it for paths.
func FuzzMounts(f *testing.F) {
	for _, m := range userFacts().Mounts {
		f.Add(m+" rw\n1 1 8:1 / / rw - x y z", "/home/u/ws")
	}
	f.Add("1 2 8:1 / / rw - x y\n2 1 8:1 / / rw - x y\n3 3 8:1 / /a rw - x y", "/a/b")
	f.Fuzz(func(t *testing.T, text, name string) {
		var lines []string
		for _, l := range strings.Split(text, "\n") {
			if short, ok := shortMount(l); ok {
				if again, ok := shortMount(short); !ok || again != short {
					t.Errorf("%q is cut to %q and then to %q", l, short, again)
				}
				lines = append(lines, short)
			}
		}
		m, err := parseMounts(lines)
		if err != nil || !strings.HasPrefix(name, "/") {
			return
		}
		if at := m.at(name); at != nil && at.point != "/" && !within(at.point, name) {
			t.Errorf("%q lies in the mount on %q", name, at.point)
		}
		for _, r := range aliases([]policy.Rule{rule(policy.Hidden, policy.KindDir, name)}, m, nil) {
			if within(r.Path, name) {
				t.Errorf("hiding %q would hide %q, which it lies in", name, r.Path)
			}
		}
	})
}
