// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// loosening is a path by which the policy allows something, and where it led.
// Flags and files are trusted, the names that lie on the way are not always.
type loosening struct {
	entry
	setting string
	path    string // as it was named, made absolute
	at      place
}

// loosen notes where a path that widens the policy leads.
func (r *resolver) loosen(setting string, e entry, path string, at place) {
	r.loosened = append(r.loosened, loosening{e, setting, path, at})
}

// checkLinks refuses a loosening that leads through a symbolic link in a
// directory that commands write. Whoever ran before, or made the checkout, may
// have put the link there, and would choose what the policy opens. It makes no
// difference where the link leads: also within one root it would move --tmp,
// a workspace or what --unprotect lifts to another place than was meant.
//
// It comes last, when every writable directory is known.
func (r *resolver) checkLinks() error {
	for _, l := range r.loosened {
		for _, link := range l.at.Links {
			if dir := r.commandsWrite(link); dir != "" {
				return l.refuse(link, dir)
			}
		}
	}
	return nil
}

// commandsWrite returns the directory around a real path that is a workspace
// or that commands write, or "". A workspace that is only read is a checkout
// all the same.
func (r *resolver) commandsWrite(path string) string {
	within := func(dir string) bool { return r.os.Within(dir, path) && r.os.Key(dir) != r.os.Key(path) }
	if i := slices.IndexFunc(r.work, within); i >= 0 {
		return r.work[i]
	}
	opens := func(c claim) bool { return (c.say == sayWrite || c.say == sayDerived) && within(c.Path) }
	if i := slices.IndexFunc(r.claims, opens); i >= 0 {
		return r.claims[i].Path
	}
	return ""
}

func (l loosening) refuse(link, dir string) error {
	by := "it is a link"
	if link != l.path {
		by = diag.Quote(link) + " is a link"
	}
	return refuseEntry(diag.LinkUntrusted, l.entry,
		diag.Quote(l.path)+" leads to "+diag.Quote(l.at.Path)+": "+by+" in "+diag.Quote(dir)+", so a command or the checkout may have made it lead there",
		l.remedy(l.at.Path))
}

// remedy says to name the target itself. No grant goes with it: a program that
// applies grants by itself would let the link decide.
func (l loosening) remedy(target string) string {
	value := target
	if strings.HasPrefix(l.Origin.File, "--") {
		value = l.Origin.File + " " + diag.Quote(target)
	} else {
		value = diag.Quote(target) + " in " + l.setting
	}
	return "remove the link, or if its target is meant, name that itself: " + value
}

// FollowLinks returns what an absolute path leads to and the symbolic links that
// it leads through, each in a real directory. What does not exist is kept as it
// is named.
func FollowLinks(h Host, path string) (real string, links []string) {
	at := newLookup(h).real(path)
	return at.Path, at.Links
}
