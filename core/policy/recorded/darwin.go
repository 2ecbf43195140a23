// SPDX-License-Identifier: Apache-2.0

package recorded

import (
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// Darwin is a usual Mac: the user "me", a repository in /Users/me/src/app, keys
// of ssh, and the directories of the system that are links into /private.
func Darwin() *Host {
	const home = "/Users/me"
	h := &Host{
		System: pathspec.Darwin, HomeDirs: []string{home}, Dir: home + "/src/app",
		Variables: map[string]string{"HOME": home, "TMPDIR": "/var/folders/zz/me/T/"},
		Own: policy.OwnDirs{
			State: home + "/.local/state/caisson", Config: home + "/.config/caisson",
			Other:      []string{"/etc/caisson", home + "/.local/share/caisson", "/Library/Application Support/caisson"},
			Executable: "/usr/local/bin/caisson",
		},
		Files: map[string]string{
			home + "/.gitconfig":            "",
			home + "/.zsh_history":          "",
			home + "/.ssh/id_ed25519":       "",
			home + "/.ssh/known_hosts":      "",
			home + "/Library/Keychains/":    "",
			"/private/etc/hosts":            "",
			"/private/tmp/":                 "",
			"/private/var/folders/zz/me/T/": "",
			"/usr/local/bin/caisson":        "",
		},
		Links: map[string]string{"/etc": "private/etc", "/tmp": "private/tmp", "/var": "private/var"},
	}
	h.AddRepository(h.Dir)
	return h
}
