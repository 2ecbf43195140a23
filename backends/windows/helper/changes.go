// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/pathspec"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// Version is that of what setup makes. Another version is set up anew.
const Version = 1

// Change is one thing that setup does. Kind is from the closed set of kinds;
// the other fields are those that it needs.
type Change struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name,omitempty"`   // of an account, group or path
	Group  string   `json:"group,omitempty"`  // that an account joins, by name or SID
	Rights []string `json:"rights,omitempty"` // of an account
	SDDL   string   `json:"sddl,omitempty"`   // of a directory; of one entry for a grant
	From   string   `json:"from,omitempty"`   // of a program
	Hash   string   `json:"hash,omitempty"`   // of a program, SHA-256
	Port   int      `json:"port,omitempty"`   // of 127.0.0.1, that filters leave
}

// The kinds of changes.
const (
	KindDirectory = "directory"
	KindGroup     = "group"
	KindAccount   = "account"
	KindMember    = "member"
	KindRights    = "rights"
	KindHide      = "hide"
	KindFilters   = "filters"
	KindProgram   = "program"
	KindGrant     = "grant"
	KindEnable    = "enable"
)

// Request is what the caller asks the elevated part for: a list that was shown
// to the user, and the digest of what was shown.
type Request struct {
	Version int     `json:"version"`
	Setup   Options `json:"setup"`
	// Digest is that of the list that the user agreed to. A list that differs
	// from it by anything is refused.
	Digest string `json:"digest"`
	// Passwords are those of the accounts, by name: drawn and sealed by the
	// caller, never printed.
	Passwords map[string]string `json:"passwords"`
}

// Options say what is set up for whom.
type Options struct {
	Install string `json:"install"` // seven hexadecimal digits
	Owner   string `json:"owner"`   // SID of the user that the accounts are for
	Offline int    `json:"offline"` // accounts without a network
	Online  int    `json:"online"`
	Proxy   int    `json:"proxy"` // accounts that reach caisson's proxy alone; 0 before there were some
	// Dir is caisson's directory below ProgramData.
	Dir     string   `json:"dir"`
	Program string   `json:"program"` // the helper's own path, to be copied
	Hash    string   `json:"hash"`    // its SHA-256
	Reads   []string `json:"reads"`   // what the accounts may read besides
}

// deniedRights are the ways to log on that sandbox accounts do not have. The
// interactive one stays: the service that starts programs as another user
// needs it.
func deniedRights() []string {
	return []string{"SeDenyNetworkLogonRight", "SeDenyRemoteInteractiveLogonRight", "SeDenyBatchLogonRight", "SeDenyServiceLogonRight"}
}

// GroupName is the local group of all accounts of an install.
func (o Options) GroupName() string { return "caisson-" + o.Install }

// poolNames are the pools in the order in which they are made.
func poolNames() []string { return []string{plan.PoolOffline, plan.PoolOnline, plan.PoolProxy} }

// Accounts are the names of the accounts of a pool. A name has at most 20
// characters.
func (o Options) Accounts(pool string) []string {
	short, n := "", 0
	switch pool {
	case plan.PoolOffline:
		short, n = "off", o.Offline
	case plan.PoolOnline:
		short, n = "on", o.Online
	case plan.PoolProxy:
		short, n = "px", o.Proxy
	}
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%s-%s%d", o.GroupName(), short, i))
	}
	return list
}

// AccountNames are the names of all accounts.
func (o Options) AccountNames() []string {
	var all []string
	for _, pool := range poolNames() {
		all = append(all, o.Accounts(pool)...)
	}
	return all
}

// PoolOf gives the pool of an account, "" for one that is in none.
func (o Options) PoolOf(name string) string {
	for _, pool := range poolNames() {
		if slices.Contains(o.Accounts(pool), name) {
			return pool
		}
	}
	return ""
}

// The ports of accounts of the proxy lie above those that servers are known by
// and below those that systems hand out, and those of two installs seldom meet.
const (
	firstPort = 22000
	portRange = 2000 // of installs, of which each has as many ports as a pool may have accounts
)

// Port is the port of 127.0.0.1 that an account of the proxy reaches, the same
// one each time; 0 for other accounts.
func (o Options) Port(name string) int {
	at := slices.Index(o.Accounts(plan.PoolProxy), name)
	n, err := strconv.ParseUint(o.Install, 16, 32)
	if at < 0 || err != nil {
		return 0
	}
	return firstPort + int(n%portRange)*most + at
}

// filters are those of an account, with its port.
func (o Options) filters(name string) []plan.WindowsFilter {
	return installed.Bind(installed.Filters(o.PoolOf(name)), o.Port(name))
}

// comment marks an account or a group as one of an install: what has another
// comment belongs to somebody else.
func (o Options) comment() string { return "caisson sandbox, install " + o.Install + " of " + o.Owner }

// users is the group of the system that lets programs start.
const users = "S-1-5-32-545"

// Changes is the list, in the order in which it is applied: nothing that could
// be used before the filters of the network stand and are verified is enabled.
func (o Options) Changes() []Change {
	bin := o.Dir + `\bin`
	list := []Change{
		{Kind: KindDirectory, Name: o.Dir, SDDL: "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;" + o.Owner + ")"},
		{Kind: KindDirectory, Name: bin, SDDL: "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"},
		{Kind: KindProgram, Name: bin + `\caisson-winhelper.exe`, From: o.Program, Hash: o.Hash},
		{Kind: KindGroup, Name: o.GroupName()},
	}
	all := o.AccountNames()
	for _, a := range all {
		list = append(list,
			Change{Kind: KindAccount, Name: a},
			Change{Kind: KindMember, Name: a, Group: o.GroupName()},
			Change{Kind: KindMember, Name: a, Group: users},
			Change{Kind: KindRights, Name: a, Rights: deniedRights()},
			Change{Kind: KindHide, Name: a})
	}
	for _, a := range slices.Concat(o.Accounts(plan.PoolOffline), o.Accounts(plan.PoolProxy)) {
		list = append(list, Change{Kind: KindFilters, Name: a, Port: o.Port(a)})
	}
	for _, p := range o.Reads {
		list = append(list, Change{Kind: KindGrant, Name: p, SDDL: "(A;OICI;0x1200a9;;;{group})"})
	}
	for _, a := range all {
		list = append(list, Change{Kind: KindEnable, Name: a})
	}
	return list
}

// Digest is the SHA-256 of the list in JSON, in hexadecimal.
func Digest(list []Change) string {
	text, err := json.Marshal(list)
	if err != nil { // strings alone
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Describe gives the list for people, one line a change.
func Describe(list []Change) []string {
	lines := make([]string, len(list))
	for i, c := range list {
		lines[i] = c.String()
	}
	return lines
}

// String says in words what the change does.
func (c Change) String() string {
	name := diag.Quote(c.Name)
	switch c.Kind {
	case KindDirectory:
		return "make the directory " + name + " with the access list " + c.SDDL
	case KindProgram:
		return "copy " + diag.Quote(c.From) + " to " + name + " (SHA-256 " + c.Hash + ")"
	case KindGroup:
		return "make the local group " + name
	case KindAccount:
		return "make the local account " + name + ", disabled, with a random password"
	case KindMember:
		return "add " + name + " to the group " + strings.Replace(diag.Quote(c.Group), users, "Users", 1)
	case KindRights:
		return "let " + name + " log on neither over the network, remotely, as a batch job nor as a service"
	case KindHide:
		return "keep " + name + " off the sign-in screen"
	case KindFilters:
		if c.Port != 0 {
			return fmt.Sprintf("block the network for %s, but for TCP to port %d of 127.0.0.1: connecting, listening, receiving, ICMP and raw sockets, IPv4 and IPv6", name, c.Port)
		}
		return "block the network for " + name + ": connecting, listening, receiving, ICMP and raw sockets, IPv4 and IPv6, loopback included"
	case KindGrant:
		return "let the sandbox accounts read " + name
	case KindEnable:
		return "enable the account " + name
	}
	return "unknown change " + diag.Quote(c.Kind)
}

// isHex reports whether a text is so many hexadecimal digits.
func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

// isUser reports whether a text is the SID of a user of a machine, a domain or
// a directory in the cloud.
func isUser(s string) bool {
	for _, prefix := range []string{"S-1-5-21-", "S-1-12-1-"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			parts := strings.Split(rest, "-")
			return len(parts) == 4 && !slices.ContainsFunc(parts, func(p string) bool {
				return p == "" || len(p) > 10 || strings.Trim(p, "0123456789") != ""
			})
		}
	}
	return false
}

// most is the most accounts of one kind.
const most = 10

// Check refuses a request that is not whole, or whose list is not the one that
// the user agreed to.
func (r Request) Check() error {
	o := r.Setup
	if r.Version != Version {
		return refuse("the request has version %d; this helper has %d", r.Version, Version)
	}
	if err := o.Check(); err != nil {
		return err
	}
	if got := Digest(o.Changes()); got != r.Digest {
		return refuse("the changes are not those that were agreed to")
	}
	names := o.AccountNames()
	for _, n := range names {
		if len(r.Passwords[n]) < 32 {
			return refuse("no password for %s", n)
		}
	}
	if len(r.Passwords) != len(names) {
		return refuse("%d passwords for %d accounts", len(r.Passwords), len(names))
	}
	return nil
}

func refuse(format string, args ...any) error {
	return diag.New(diag.UsageInvalid, "setup: "+fmt.Sprintf(format, args...), "run caisson setup install again")
}

// Check refuses options that no setup has.
func (o Options) Check() error {
	switch {
	case !isHex(o.Install, 7):
		return refuse("install %q is not seven hexadecimal digits", o.Install)
	case !isUser(o.Owner):
		return refuse("owner %q is no user", o.Owner)
	case o.Offline < 1 || o.Offline > most || o.Online < 0 || o.Online > most || o.Proxy < 0 || o.Proxy > most:
		return refuse("%d offline, %d online and %d proxy accounts: from 1, from 0 and from 0 to %d", o.Offline, o.Online, o.Proxy, most)
	case !isHex(o.Hash, 64):
		return refuse("the hash %q is no SHA-256", o.Hash)
	}
	for _, p := range append([]string{o.Dir, o.Program}, o.Reads...) {
		if err := checkPath(p); err != nil {
			return refuse("%v", err)
		}
	}
	for i, p := range o.Reads {
		if slices.ContainsFunc(o.Reads[:i], func(q string) bool { return strings.EqualFold(p, q) }) {
			return refuse("%q is named twice", p)
		}
	}
	return nil
}

// CheckPlaces refuses options that reach for what is not the owner's: with the
// rights of an administrator a list could be changed anywhere. shared is the
// directory of all installs, profile the home directory of the owner.
func (o Options) CheckPlaces(shared, profile string) error {
	os := pathspec.Windows
	if !strings.EqualFold(o.Dir, os.Join(shared, o.Install)) {
		return refuse("the directory %s is not that of the install", diag.Quote(o.Dir))
	}
	for _, p := range o.Reads {
		if strings.EqualFold(p, profile) || !os.Within(profile, p) {
			return refuse("%s lies outside of the home directory of whom the setup is for", diag.Quote(p))
		}
	}
	return nil
}

// checkPath wants an absolute path of a local drive, below its root.
func checkPath(p string) error {
	os := pathspec.Windows
	if err := os.Check(p); err != nil {
		return err
	}
	if !os.IsAbs(p) || os.Clean(p) != p || len(p) < 4 || p[1] != ':' {
		return errors.New(diag.Quote(p) + " is no path below the root of a drive")
	}
	return nil
}
