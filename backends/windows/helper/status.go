// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
)

// Status says what is there of a setup: "none", "partial" where it was begun
// and not finished, "old" where it is of another version, "broken" where
// something is no longer as it was made, with what, or "ready". It changes
// nothing.
func Status(sys System, o Options) (installed.Setup, error) {
	s := installed.Setup{State: "none"}
	w, err := newWorker(sys, o, nil)
	if err != nil || len(w.log) == 0 {
		return s, err
	}
	s.Install = o.Install
	last := w.log[len(w.log)-1]
	switch {
	case last.State != "complete":
		s.State, s.Detail = "partial", "it ended at: "+last.Change.String()
		return s, nil
	case last.Detail != fmt.Sprint(Version):
		s.State, s.Detail = "old", "version "+last.Detail
		return s, nil
	}
	var broken []string
	for _, c := range o.Changes() {
		if c.Kind == KindDirectory || c.Kind == KindHide {
			continue
		}
		ok, err := w.stands(c)
		if err != nil {
			return s, fmt.Errorf("look whether this stands: %s: %w", c, err)
		}
		if !ok {
			broken = append(broken, c.String())
		}
	}
	s.State, s.Offline, s.Online, s.Proxy = "ready", o.Offline, o.Online, o.Proxy
	if len(broken) > 0 {
		s.State, s.Detail = "broken", "missing: "+strings.Join(broken, "; ")
	}
	return s, nil
}
