// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/core/pathspec"
)

// isSymbol reports whether a text is one of the symbols of plans.
func isSymbol(s string) bool {
	if n, ok := strings.CutPrefix(s, "{cap"); ok {
		n, closed := strings.CutSuffix(n, "}")
		return closed && isNumber(n, 4)
	}
	return slices.Contains([]string{"{account}", "{user}", "{group}", "@logon", "@device"}, s)
}

func isNumber(s string, digits int) bool {
	return s != "" && len(s) <= digits && strings.Trim(s, "0123456789") == ""
}

// isSID reports whether a text is a SID in full.
func isSID(s string) bool {
	parts, ok := strings.CutPrefix(s, "S-1-")
	list := strings.Split(parts, "-")
	return ok && len(list) <= 16 && !slices.ContainsFunc(list, func(p string) bool { return !isNumber(p, 15) })
}

// isMask reports whether a text is rights in hexadecimal.
func isMask(s string) bool {
	hex, ok := strings.CutPrefix(s, "0x")
	return ok && hex != "" && len(hex) <= 8 && strings.Trim(hex, "0123456789abcdef") == ""
}

// splitACE takes an entry in SDDL apart: kind, flags, rights, whom. An entry of
// a plan names a symbol or one SID, and its rights are a number, so that undo
// takes out exactly what was added.
func splitACE(text string) (kind, flags, mask, sid string, ok bool) {
	inner, open := strings.CutPrefix(text, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	f := strings.Split(inner, ";")
	if !open || !closed || len(f) != 6 || f[3] != "" || f[4] != "" || strings.ContainsAny(f[5], "()") {
		return "", "", "", "", false
	}
	return f[0], f[1], f[2], f[5], true
}

// Parts takes the entry apart: "A" to allow or "D" to deny, the rights, and the
// symbol of whom it is for. ok is false for an entry that no valid plan has.
func (a WindowsACE) Parts() (kind string, rights uint32, who string, ok bool) {
	kind, _, mask, who, ok := splitACE(a.ACE)
	n, err := strconv.ParseUint(mask, 0, 32)
	return kind, uint32(n), who, ok && err == nil
}

// isDefaultList reports whether a text is a list in SDDL that only allows.
func isDefaultList(text string) bool {
	rest, ok := strings.CutPrefix(text, "D:")
	rest = strings.TrimPrefix(rest, "P")
	if !ok || rest == "" {
		return false
	}
	for rest != "" {
		end := strings.IndexByte(rest, ')') + 1
		kind, flags, mask, sid, ok := splitACE(rest[:end])
		if !ok || kind != "A" || flags != "" || sid == "" || mask != "GA" && mask != "RC" && !isMask(mask) {
			return false
		}
		rest = rest[end:]
	}
	return true
}

// filterLayers are the layers at which setup may filter.
func filterLayers() []string {
	var list []string
	for _, l := range []string{"ALE_AUTH_CONNECT", "ALE_AUTH_LISTEN", "ALE_AUTH_RECV_ACCEPT", "ALE_RESOURCE_ASSIGNMENT"} {
		list = append(list, l+"_V4", l+"_V6")
	}
	return list
}

// validate checks what can be checked without a host.
func (w *Windows) validate() error {
	if w.V != 1 {
		return fmt.Errorf("v %d is not known, only 1", w.V)
	}
	if err := oneOf("profile", w.Profile, "", "jail", "lean"); err != nil {
		return err
	}
	if err := oneOf("env.base", w.EnvBase, "account", "caller"); err != nil {
		return err
	}
	if (w.Account != nil) != (w.Profile != "") || (w.Account != nil) != (w.EnvBase == "account") {
		return fmt.Errorf("account, profile and env.base do not fit together")
	}
	if w.Account != nil {
		if err := oneOf("account.pool", w.Account.Pool, PoolOffline, PoolOnline, PoolProxy); err != nil {
			return err
		}
	}
	for name, sid := range w.Symbols {
		if name != "@device" || sid != "" && !isSID(sid) {
			return fmt.Errorf("symbol %q is %q", name, sid)
		}
	}
	if w.Helper.SDDL != "D:P(A;;GA;;;SY)(A;;RC;;;OW)" {
		return fmt.Errorf("helper.sddl %q", w.Helper.SDDL)
	}
	if err := w.Token.validate(w.Profile); err != nil {
		return err
	}
	if err := w.validateFiles(); err != nil {
		return err
	}
	if err := w.validateFilters(); err != nil {
		return err
	}
	if !w.Job.Kill || w.Job.Breakaway {
		return fmt.Errorf("the job can be left or survived")
	}
	if w.Job.Processes < 0 || w.Job.Memory < 0 || w.Job.Milliseconds < 0 || w.Job.UI != 0xff {
		return fmt.Errorf("a limit of the job is out of range")
	}
	if err := oneOf("desktop", w.Desktop, "private"); err != nil {
		return err
	}
	if !slices.Equal(w.Mitigation, []string{"ext-point", "no-remote-image", "no-low-image"}) {
		return fmt.Errorf("mitigation %q", w.Mitigation)
	}
	if !slices.Equal(w.Handles, []string{"stdin", "stdout", "stderr"}) {
		return fmt.Errorf("handles %q", w.Handles)
	}
	return nil
}

// filterConditions are what the filters at a layer look at, beside the user, one
// filter each. Without a network everything is blocked. To the proxy everything
// is but TCP to one port of 127.0.0.1: each of three filters blocks what differs
// in one point, so that what passes differs in none.
func filterConditions(layer, pool string) []string {
	switch {
	case layer == "ALE_RESOURCE_ASSIGNMENT_V4":
		return []string{"proto=1", "raw"}
	case layer == "ALE_RESOURCE_ASSIGNMENT_V6":
		return []string{"proto=58", "raw"}
	case layer == "ALE_AUTH_CONNECT_V4" && pool == PoolProxy:
		return []string{"proto!=6", "raddr!=127.0.0.1", "rport!={port}"}
	}
	return []string{""}
}

// validateFilters wants the filters of an account that does not have the host's
// network to be whole: every layer, both families, and nothing that permits.
func (w *Windows) validateFilters() error {
	have := map[string]bool{}
	for _, f := range w.WFP {
		if err := oneOf("wfp.layer", f.Layer, filterLayers()...); err != nil {
			return err
		}
		if err := oneOf("wfp.do", f.Do, "block"); err != nil {
			return err
		}
		if len(f.If) == 0 || f.If[0] != "user={account}" || len(f.If) > 2 {
			return fmt.Errorf("a filter at %s is for %q", f.Layer, f.If)
		}
		have[f.Layer+strings.Join(f.If[1:], "")] = true
	}
	want := 0
	if w.Account != nil && w.Account.Pool != PoolOnline {
		for _, l := range filterLayers() {
			for _, c := range filterConditions(l, w.Account.Pool) {
				if want++; !have[l+c] {
					return fmt.Errorf("no filter at %s %s", l, c)
				}
			}
		}
	}
	if len(have) != want {
		return fmt.Errorf("%d filters where %d are needed", len(have), want)
	}
	return nil
}

// validate wants what no token goes without, and what its profile adds.
func (t WindowsToken) validate(profile string) error {
	flags := []string{"DISABLE_MAX_PRIVILEGE", "LUA_TOKEN"}
	if profile != "lean" {
		flags = append(flags, "WRITE_RESTRICTED")
	}
	if !slices.Equal(t.Flags, flags) {
		return fmt.Errorf("token.flags %q, want %q", t.Flags, flags)
	}
	if (profile != "lean") != (len(t.Restricting) > 0) {
		return fmt.Errorf("token.flags and token.restricting do not fit together")
	}
	deny := []string{"S-1-5-32-544", "@logon"}
	switch profile {
	case "jail":
		deny = append(deny, "S-1-5-4")
	case "lean":
		deny = append(deny, "S-1-5-11", "S-1-5-4", "S-1-2-0")
	}
	for _, s := range deny {
		if !slices.Contains(t.DenyOnly, s) {
			return fmt.Errorf("token.denyOnly lacks %s", s)
		}
	}
	for _, s := range slices.Concat(t.DenyOnly, t.Restricting) {
		if !isSymbol(s) && !isSID(s) {
			return fmt.Errorf("token names %q", s)
		}
	}
	for _, s := range t.Restricting {
		if slices.Contains([]string{"S-1-1-0", "S-1-5-11", "S-1-5-32-545", "S-1-5-4", "{user}", "{group}"}, s) {
			return fmt.Errorf("token.restricting has %s, which the whole machine admits", s)
		}
	}
	if !slices.Equal(t.KeepPrivileges, []string{"SeChangeNotifyPrivilege"}) {
		return fmt.Errorf("token.keepPrivileges %q", t.KeepPrivileges)
	}
	if !isDefaultList(t.DefaultDACL) {
		return fmt.Errorf("token.defaultDACL %q", t.DefaultDACL)
	}
	return nil
}

func (w *Windows) validateFiles() error {
	held := map[string]bool{}
	for _, h := range w.Placeholders {
		if err := windowsPath(h.Path); err != nil {
			return err
		}
		if err := oneOf("placeholder kind", h.Kind, "dir", "file"); err != nil {
			return err
		}
		if err := checkACE(h.ACE); err != nil {
			return err
		}
		held[h.Path] = true
	}
	for _, a := range w.ACL {
		if err := windowsPath(a.Path); err != nil {
			return err
		}
		if err := oneOf("fileId", a.FileID, "", "@probe"); err != nil {
			return err
		}
		if err := checkACE(a.ACE); err != nil {
			return err
		}
		if held[a.Path] && a.Exists {
			return fmt.Errorf("%s is both there and held", a.Path)
		}
	}
	for _, list := range [][]string{w.Quarantine, w.Report} {
		for _, name := range list {
			if err := windowsPath(name); err != nil {
				return err
			}
		}
	}
	return w.validateUndo()
}

// validateUndo wants the exact inverse of every edit and of nothing else.
func (w *Windows) validateUndo() error {
	open := map[WindowsUndo]int{}
	for _, a := range w.ACL {
		open[WindowsUndo{Path: a.Path, ACE: a.ACE}]++
	}
	for _, h := range w.Placeholders {
		open[WindowsUndo{Path: h.Path, Remove: h.Kind}]++
	}
	for _, u := range w.Undo {
		if open[u] == 0 {
			return fmt.Errorf("undo of %s is the inverse of nothing", u.Path)
		}
		open[u]--
	}
	for u, n := range open {
		if n > 0 {
			return fmt.Errorf("an edit of %s is not undone", u.Path)
		}
	}
	return nil
}

func checkACE(text string) error {
	kind, flags, mask, sid, ok := splitACE(text)
	for ok && flags != "" {
		ok = len(flags) >= 2 && slices.Contains([]string{"OI", "CI", "NP", "IO"}, flags[:min(2, len(flags))])
		flags = flags[min(2, len(flags)):]
	}
	if !ok || kind != "A" && kind != "D" || !isMask(mask) {
		return fmt.Errorf("ACE %q", text)
	}
	if !isSymbol(sid) || strings.HasPrefix(sid, "@") {
		return fmt.Errorf("ACE %q is for somebody outside of the sandbox", text)
	}
	return nil
}

// windowsPath checks that a path is absolute, clean and names a file of a
// volume, not the volume itself.
func windowsPath(name string) error {
	os := pathspec.Windows
	if err := os.Check(name); err != nil {
		return err
	}
	if !os.IsAbs(name) || os.Clean(name) != name {
		return fmt.Errorf("path %q is not absolute and clean", name)
	}
	if os.Depth(name) == 0 {
		return fmt.Errorf("path %q is a volume", name)
	}
	return nil
}
