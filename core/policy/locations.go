// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"io"
	"path/filepath"
)

// ProjectFile is the name of a project's policy file.
const ProjectFile = ".caisson.toml"

// Sources says where the layers of a policy come from. The zero value has no
// file at all; DefaultSources is what the command line starts from.
type Sources struct {
	SystemFile string // the administrator's file, if it exists
	UserFile   string // the user's file, if it exists
	// PolicyFile replaces the user's file and the project files, and must
	// exist; "-" is Stdin.
	PolicyFile string
	Stdin      io.Reader
	// ProjectFiles says to read the .caisson.toml files from each workspace
	// root up to the top of its repository.
	ProjectFiles bool
	TrustFile    string // the hashes of trusted project files
	Home         string // what "~" means in the workspace of a file
	Dir          string // the current directory, absolute
	Flags        Policy // the highest layer: flags, or a program's policy

	vouch func(path string) error // for tests that are not run by root
}

// DefaultSources returns the places of the policy files on this host.
func DefaultSources() (Sources, error) {
	host := OSHost()
	own := host.OwnDirs()
	dir, err := host.Getwd()
	if err != nil {
		return Sources{}, err
	}
	s := Sources{
		SystemFile:   systemFile(),
		UserFile:     filepath.Join(own.Config, "policy.toml"),
		ProjectFiles: true,
		TrustFile:    filepath.Join(own.State, "trust.json"),
		Dir:          dir,
	}
	if homes := host.Homes(); len(homes) > 0 {
		s.Home = homes[len(homes)-1]
	}
	return s, nil
}
