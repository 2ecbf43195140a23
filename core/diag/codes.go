// SPDX-License-Identifier: Apache-2.0

package diag

// Code is the stable name of a kind of diagnostic. Programs match on it.
type Code string

// Every code that caisson emits, with its meaning in Codes.
const (
	// Refusals: nothing was started.
	GuaranteeUnmet   Code = "guarantee-unmet"
	PolicyInvalid    Code = "policy-invalid"
	PolicyUntrusted  Code = "policy-untrusted"
	PolicyFinal      Code = "policy-final"
	WorkspaceInvalid Code = "workspace-invalid"
	RootUnwritable   Code = "root-unwritable"
	ModeUnsupported  Code = "mode-unsupported"
	BackendUnknown   Code = "backend-unknown"
	PlanInvalid      Code = "plan-invalid"
	LaunchFailed     Code = "launch-failed"
	AttestFailed     Code = "attest-failed"
	DescriptorDenied Code = "descriptor-denied"
	ResultInvalid    Code = "result-invalid"
	AuditFailed      Code = "audit-failed"
	OwnFilesExposed  Code = "own-files-exposed"
	LinkUntrusted    Code = "link-untrusted"
	AlreadyConfined  Code = "already-confined"
	UsageInvalid     Code = "usage-invalid"
	CommandNotFound  Code = "command-not-found"
	OneCommand       Code = "one-command"
	CommandNotExec   Code = "command-not-executable"
	PluginUnknown    Code = "plugin-unknown"
	PluginUntrusted  Code = "plugin-untrusted"
	PluginUnsafe     Code = "plugin-unsafe"
	PluginFailed     Code = "plugin-failed"
	PluginHost       Code = "plugin-host-missing"
	RequestInvalid   Code = "request-invalid"
	TooMany          Code = "too-many"
	SessionUnknown   Code = "session-unknown"
	SessionExists    Code = "session-exists"
	SessionFixed     Code = "session-fixed"
	SessionUnsafe    Code = "session-unsafe"
	LessInvalid      Code = "less-invalid"
	// Notes and findings of a run.
	GuaranteeWeakened Code = "guarantee-weakened"
	WorkspaceSubdir   Code = "workspace-subdirectory"
	NetworkFS         Code = "network-file-system"
	NoLoopback        Code = "no-loopback"
	NoUnixSockets     Code = "no-unix-sockets"
	Quarantined       Code = "quarantined"
	CheckedOut        Code = "checked-out"
	ProtectedChanged  Code = "protected-changed"
	HiddenChanged     Code = "hidden-changed"
	RepositoryMade    Code = "repository-made"
	WriteHint         Code = "write-hint"
	NetworkOpen       Code = "network-open"
	EnvDropped        Code = "env-dropped"
	LeftoverRemoved   Code = "leftover-removed"
	ProjectIgnored    Code = "project-policy-ignored"
	PathAbsent        Code = "path-absent"
	HideAbsent        Code = "hide-absent"
	RepositoryForeign Code = "repository-foreign"
	NeverRun          Code = "never-run"
	PlaceOpen         Code = "place-open"
	SocketGranted     Code = "socket-granted"
)

// CodeInfo explains one code.
type CodeInfo struct {
	Code    Code
	Refusal bool // nothing was started
	Meaning string
}

// Codes returns the table of all codes. The caller owns the slice.
func Codes() []CodeInfo {
	return []CodeInfo{
		{GuaranteeUnmet, true, "this host cannot uphold a guarantee that the policy needs"},
		{PolicyInvalid, true, "a policy file or flag is malformed; the message names file, line, column and key"},
		{PolicyUntrusted, true, "a project policy file loosens the policy and is not trusted by its hash"},
		{PolicyFinal, true, "the system policy pins a setting that another layer tries to change"},
		{WorkspaceInvalid, true, "the workspace is missing, is no directory, or is one that must not be writable as a whole"},
		{RootUnwritable, true, "a writable root cannot be written by the user that the command runs as"},
		{ModeUnsupported, true, "the policy asks for something that this version does not offer"},
		{BackendUnknown, true, "no backend of that name exists on this system"},
		{PlanInvalid, true, "a plan holds a step, field or value that the launcher does not know"},
		{LaunchFailed, true, "a step of the launch failed; the message names the step and the system call"},
		{AttestFailed, true, "what was applied differs from the plan"},
		{DescriptorDenied, true, "a descriptor of the caller cannot be passed in safely"},
		{ResultInvalid, true, "the result file cannot be opened safely"},
		{AuditFailed, true, "an audit file that the policy names cannot be opened safely or written"},
		{OwnFilesExposed, true, "caisson's own files lie in a writable root, or where another user may have put them"},
		{LinkUntrusted, true, "a path that widens the policy leads through a symbolic link that a command could have made"},
		{AlreadyConfined, true, "caisson runs inside a caisson sandbox already"},
		{UsageInvalid, true, "the command line is malformed"},
		{CommandNotFound, true, "the command was not found"},
		{OneCommand, true, "the backend takes one command for each sandbox, and this is a second one"},
		{CommandNotExec, true, "the command was found and cannot be executed"},
		{PluginUnknown, true, "no backend plugin of that name was found where plugins are looked for"},
		{PluginUntrusted, true, "a backend plugin is not trusted, or is not what it was when it was trusted"},
		{PluginUnsafe, true, "a backend plugin, or a program that it wants to be executed, can be changed by others or by commands"},
		{PluginFailed, true, "a backend plugin did not start, did not answer in time, crashed, or answered what it may not"},
		{PluginHost, true, "the program that hosts backend plugins, caisson-full, is not installed"},
		{RequestInvalid, true, "a message to caisson serve or to a session is malformed, or names what is not there"},
		{TooMany, true, "a client holds as many commands, sandboxes or open requests as it may"},
		{SessionUnknown, true, "there is no session of that name, or it has ended"},
		{SessionExists, true, "a session of that name is there already"},
		{SessionFixed, true, "the policy of a session is fixed when it starts"},
		{SessionUnsafe, true, "where sessions are held can be changed by others, or the other end belongs to another user"},
		{LessInvalid, true, "a path cannot be protected or hidden for one command of an open sandbox"},
		{GuaranteeWeakened, false, "a guarantee was given up on request"},
		{WorkspaceSubdir, false, "the workspace is a directory inside a repository, not the repository"},
		{NetworkFS, false, "a readable file system is itself on the network or served by a user process"},
		{NoLoopback, false, "the sandbox is offline and has no loopback of its own, so no servers can run in it"},
		{NoUnixSockets, false, "commands can make no unix sockets but pairs, since those of the host could not be kept apart"},
		{Quarantined, false, "a file that runs code later outside appeared and was moved away: to caisson's state, or beside its place if that is another file system"},
		{CheckedOut, false, "a file that runs code later outside appeared as a commit from before the run holds it, and stays"},
		{ProtectedChanged, false, "a protected path was changed by a process outside during the run"},
		{HiddenChanged, false, "a hidden path was replaced by a process outside during the run"},
		{RepositoryMade, false, "a repository, gitlink, .gitmodules, sequencer todo or merge strategy appeared during the run"},
		{WriteHint, false, "a failed command may have tried to write where writes are refused"},
		{NetworkOpen, false, "the network is the host's as it is"},
		{EnvDropped, false, "an environment variable was not passed on"},
		{LeftoverRemoved, false, "something that a killed caisson left was removed"},
		{ProjectIgnored, false, "project policy files were not read, as asked"},
		{HideAbsent, false, "a path that a flag or the user's file hides does not exist, so nothing is hidden"},
		{PathAbsent, false, "another path that the policy hides or shows does not exist"},
		{RepositoryForeign, false, "the git directory that the workspace names does not name the workspace, so it stays read-only"},
		{NeverRun, false, "what the plan rests on was modelled and cross-compiled, and never run on its system by those who wrote it"},
		{SocketGranted, false, "a unix socket of the host can be reached, with all that it lets its users do"},
		{PlaceOpen, false, "a place outside the writable roots admits every user, the sandbox's too"},
	}
}
