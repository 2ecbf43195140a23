// SPDX-License-Identifier: Apache-2.0

package plan

// Windows says how a sandbox is made on Windows: an account or the user's own,
// a token, entries in access lists, filters of the network, a job and a
// desktop. It is what the helper program `caisson-winhelper run` gets, on a
// pipe. In JSON its fields stand beside those of the plan; the plan's Env is
// "env" with a base, what is set and what is dropped.
//
// Symbols stand for what only the helper knows: "{account}" is the SID of the
// sandbox's account, "{user}" that of the caller, "{group}" that of the group
// of all sandbox accounts, "{cap0}" and so on a SID made for one writable root,
// "@logon" every logon SID of the token and "@device" the SID that lets the
// null device and its like be opened for writing; Symbols says which that is.
// "{port}" is the port that setup gave the account. So plans hold no state of a
// machine.
type Windows struct {
	V       int    `json:"v"`
	Profile string `json:"profile,omitempty"` // "jail" or "lean"; empty for windows/token
	Install string `json:"install,omitempty"` // which setup's accounts
	EnvBase string `json:"-"`                 // "account" or "caller"; env.base in JSON

	Symbols map[string]string `json:"symbols"`
	Account *WindowsAccount   `json:"account,omitempty"` // nil: the caller's own
	Helper  WindowsHelper     `json:"helper"`
	Token   WindowsToken      `json:"token"`

	Placeholders []WindowsHold   `json:"placeholders,omitempty"`
	ACL          []WindowsACE    `json:"acl"`
	Undo         []WindowsUndo   `json:"undo"`
	Quarantine   []string        `json:"quarantine,omitempty"` // as Watch
	Report       []string        `json:"report,omitempty"`     // as Watch
	WFP          []WindowsFilter `json:"wfp"`
	Job          WindowsJob      `json:"job"`
	Desktop      string          `json:"desktop"`    // "private"
	Mitigation   []string        `json:"mitigation"` // "ext-point", "no-remote-image", "no-low-image"
	Handles      []string        `json:"handles"`    // "stdin", "stdout", "stderr"
	Temp         string          `json:"temp,omitempty"`
	Residuals    []string        `json:"residuals"`
}

// The pools of accounts: without a network, with the host's, and with one port of
// 127.0.0.1 alone, at which caisson's proxy listens.
const (
	PoolOffline = "offline"
	PoolOnline  = "online"
	PoolProxy   = "proxy"
)

// WindowsAccount asks for an account of one of the pools. It is
// held by one sandbox at a time. Sticky is the workspace by which the account
// is chosen: the one that last served it, if it is free, because files that a
// run made belong to its account.
type WindowsAccount struct {
	Pool   string `json:"pool"`
	Sticky string `json:"sticky"`
}

// WindowsHelper is the access list that the helper gives its own process and
// thread, so that no command can open them. The entry for OWNER RIGHTS keeps
// the command, which has the same owner, from writing another one.
type WindowsHelper struct {
	SDDL string `json:"sddl"`
}

// WindowsToken is the token of the commands, see CreateRestrictedToken. What
// it has is read back before a command starts.
type WindowsToken struct {
	Flags          []string `json:"flags"` // "DISABLE_MAX_PRIVILEGE", "LUA_TOKEN", "WRITE_RESTRICTED"
	DenyOnly       []string `json:"denyOnly"`
	Restricting    []string `json:"restricting"`
	KeepPrivileges []string `json:"keepPrivileges"`
	DefaultDACL    string   `json:"defaultDACL"`
}

// WindowsACE is an entry that is added to the list of Path, in SDDL. FileID
// says that the file is the one that the policy was resolved for. Exists says
// that the path is there and needs no placeholder.
type WindowsACE struct {
	Path   string `json:"path"`
	FileID string `json:"fileId,omitempty"` // "@probe"
	ACE    string `json:"ace"`
	Why    string `json:"why"`
	Exists bool   `json:"exists,omitempty"`
}

// WindowsHold takes the place of an absent name while the sandbox lives: a
// "dir" or a "file" with Content, and the entry that protects it.
type WindowsHold struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"`
	Content string `json:"content,omitempty"`
	ACE     string `json:"ace"`
}

// WindowsUndo is one step of the way back: an entry that is taken out of the
// list of Path, or a placeholder that is removed (Remove is its kind).
type WindowsUndo struct {
	Path   string `json:"path"`
	ACE    string `json:"ace,omitempty"`
	Remove string `json:"remove,omitempty"`
}

// WindowsFilter is a filter of the Windows Filtering Platform that setup made
// and that is read back before a command starts. It holds where all of If does:
// "user={account}" first, then at most one of "raw", "proto=N", "proto!=N",
// "raddr!=ADDRESS" and "rport!={port}", of the far end.
type WindowsFilter struct {
	Layer  string   `json:"layer"`
	Do     string   `json:"do"` // "block"
	Weight int      `json:"weight"`
	If     []string `json:"if"`
}

// WindowsJob is the job of the commands. UI are the JOB_OBJECT_UILIMIT flags.
// Zero limits are none.
type WindowsJob struct {
	Kill         bool  `json:"kill"`
	Breakaway    bool  `json:"breakaway"`
	Processes    int   `json:"procs,omitempty"`
	Memory       int64 `json:"memory,omitempty"` // bytes
	Milliseconds int64 `json:"ms,omitempty"`     // wall time
	UI           int   `json:"ui"`
}

// ToProxy reports whether commands reach caisson's proxy at the port of their
// account, which who executes the plan must own before the account logs on. It
// is false of nil.
func (w *Windows) ToProxy() bool {
	return w != nil && w.Account != nil && w.Account.Pool == PoolProxy
}

// windowsEnv is the plan's Env as the helper reads it.
type windowsEnv struct {
	Base string            `json:"base"`
	Set  map[string]string `json:"set"`
	Drop []string          `json:"drop"`
}
