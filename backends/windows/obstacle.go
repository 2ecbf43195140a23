// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"slices"
	"unicode/utf16"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/policy"
)

// oldest is the first build that every tier needs: Windows 10 1809 and Server
// 2019 brought CreatePseudoConsole.
const oldest = 17763

// obstacle is a reason why a backend can do nothing on a host.
type obstacle struct{ reason, remedy string }

// obstacle returns what stands in the way of a tier, or nil.
func (f Facts) obstacle(name string) *obstacle {
	install := "run caisson setup install"
	switch {
	case f.Nested:
		return &obstacle{"caisson runs inside a caisson sandbox already", "run the command directly"}
	case f.Build < oldest:
		return &obstacle{fmt.Sprintf("build %d of Windows has no pseudo console", f.Build), fmt.Sprintf("use Windows 10 1809, Server 2019 (build %d) or later", oldest)}
	case f.Restricted:
		return &obstacle{"the caller's token is a restricted one, from which no other can be made", "run caisson outside of the other sandbox"}
	case name == ContainerName:
		return f.Container.obstacle()
	case name == TokenName && f.broadDevice():
		return &obstacle{"the null device opens only for tokens that Everyone restricts, and everybody's directories would open with it", install + " and use " + AccountName}
	case name == TokenName:
		return nil
	case f.Setup.State == "none":
		return &obstacle{"the sandbox accounts have not been made", install}
	case f.Setup.State == "partial":
		return &obstacle{"setup was begun and not finished: " + f.Setup.Detail, "run caisson setup status --repair"}
	case f.Setup.State == "old":
		return &obstacle{"setup is of another version: " + f.Setup.Detail, install}
	case f.Setup.State == "broken":
		return &obstacle{"setup was damaged: " + f.Setup.Detail, "run caisson setup status --repair"}
	case f.Logon == "disabled" || f.Logon == "missing":
		return &obstacle{"the service Secondary Logon, which starts programs as another user, is " + f.Logon, "set its start type to manual: sc.exe config seclogon start= demand"}
	case f.DenyLogon:
		return &obstacle{"a policy of this machine or its domain keeps local accounts from logging on", "have the group of the sandbox accounts exempted from \"Deny log on locally\""}
	case f.Session == 0:
		return &obstacle{"caisson runs in the session of services, whose desktop no other account may use", "run it in a session of a user, or use windows/token"}
	case f.Setup.Offline == 0:
		return &obstacle{"the pool has no sandbox account", install}
	}
	return nil
}

// obstacle says why the system's own sandboxes are of no use: there are none, or
// this version does not plan with them. What was found is told all the same, so
// that it can be seen where that would be worth it.
func (c Container) obstacle() *obstacle {
	remedy := "use " + AccountName
	switch {
	case c.State == "absent":
		return &obstacle{"this system has no sandboxes of its own (process security environments)", remedy}
	case c.State == "off":
		return &obstacle{"the sandboxes of this system cannot be made: " + c.Detail, remedy}
	case !c.Denies:
		return &obstacle{"the sandboxes of this system cannot deny paths, and this version of caisson makes none of them", remedy}
	}
	return &obstacle{"this system makes sandboxes of its own, and this version of caisson makes none of them", remedy}
}

// broadDevice reports whether the SID that opens devices admits half of the
// machine too.
func (f Facts) broadDevice() bool {
	return slices.Contains([]access.SID{access.Everyone, access.AuthenticatedUsers, access.Users, access.Interactive}, access.SID(f.Device))
}

// refuse refuses what a policy may say and these backends do not offer.
func refuse(name string, f Facts, r *policy.Resolved) error {
	if r.OS() != "windows" {
		return diag.New(diag.ModeUnsupported, fmt.Sprintf("%s cannot uphold a policy for %s", name, diag.Quote(r.OS())), "")
	}
	n := r.Network()
	if ports := append(append([]int{}, n.Loopback...), n.Publish...); len(ports) > 0 && n.Mode != policy.Online {
		return diag.New(diag.ModeUnsupported, fmt.Sprintf("the filters of the network are made once by setup, and admit no port; port %d cannot be joined to the host's", ports[0]),
			"remove network.loopback and network.publish, or use --net online")
	}
	if n.Mode == policy.Allowlist && slices.Contains(r.AllowWeaker(), guarantee.NetAllowlist) {
		// windows/token would have the host's whole network in place of a list.
		return diag.New(diag.ModeUnsupported, string(guarantee.NetAllowlist)+" cannot be given up on Windows, where commands would have the host's network in place of a list",
			"run caisson setup install, which makes accounts for --net allowlist, or use --net online, which lets every host be reached")
	}
	if name != TokenName && n.Mode == policy.Online && f.Setup.State == "ready" && f.Setup.Online == 0 {
		return diag.New(diag.ModeUnsupported, "setup made no sandbox account with a network", "run caisson setup install again, with an account for --net online")
	}
	for _, rule := range r.Rules() {
		if rule.Access != policy.Write {
			continue
		}
		if err := f.checkRoot(rule.Path); err != nil {
			return err
		}
	}
	return nil
}

// longestDir is the longest name of a directory that CreateProcess starts a
// program in: MAX_PATH less the name of a file of the old form (8.3).
const longestDir = 260 - 12 - 1

// checkRoot wants a writable path to lie on a volume that keeps access lists.
func (f Facts) checkRoot(path string) error {
	refuse := func(why, remedy string) error {
		return diag.New(diag.RootUnwritable, diag.Quote(path)+" cannot be made writable: "+why, remedy)
	}
	v, known := f.volumeOf(path)
	move := "work in a directory of a local NTFS or ReFS volume"
	switch {
	case len(path) > 1 && path[:2] == `\\`:
		return refuse("it is on the network, where the sandbox's account is not known", move)
	case !known:
		return refuse("no such volume was found", move)
	case v.Remote:
		return refuse("the drive "+v.Root+" is one of the network, where the sandbox's account is not known", move)
	case !v.ACLs:
		return refuse(fmt.Sprintf("the file system %s of %s keeps no access lists", v.FS, v.Root), move)
	case pathspec.Windows.Depth(path) == 0:
		return refuse("it is a whole volume", "name a directory")
	case len(utf16.Encode([]rune(path))) > longestDir:
		return refuse(fmt.Sprintf("its name has more than %d characters, and no program can work in it", longestDir), "work in a directory with a shorter name")
	}
	return nil
}
