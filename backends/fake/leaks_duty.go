// SPDX-License-Identifier: Apache-2.0

package fake

// dutyLeaks are ways to be in the way of ordinary work. Those that deny too
// much are in refuse.go, the others are for whoever runs commands.
func dutyLeaks() []leak {
	var all []leak
	for _, d := range [][2]string{
		{"read-outside", "lets nothing outside the workspace be read"},
		{"read-protected", "hides what is to be protected"},
		{"read-links", "lets no link lead out"},
		{"home", "hides the home directory"},
		{"workspace", "lets nothing be written"},
		{"metadata", "lets no mode or time be changed"},
		{"renames", "lets nothing be renamed"},
		{"links", "lets no link be made"},
		{"removals", "lets nothing be removed"},
		{"mappings", "lets files be mapped for reading only"},
		{"nodes", "lets no fifo be made"},
		{"long-paths", "knows paths of 255 bytes"},
		{"names", "takes names for words of a shell"},
		{"second-root", "knows one writable root"},
		{"beside-protected", "protects the directory above as well"},
		{"large-files", "lets files have a MiB"},
		{"tools", "lets no program of the workspace run"},
		{"temporary", "has no temporary directory"},
		{"callers-temporary", "names the caller's temporary directory, which cannot be written"},
		{"devices", "has no devices"},
		{"no-sockets", "takes the sandbox's sockets for the host's"},
		{"no-loopback", "has no loopback"},
		{"truncated", "cuts the output"},
		{"truncated-input", "cuts the input"},
		{"merged", "makes one stream of output and error output"},
		{"held-input", "never closes the input"},
		{"rewound", "reads an input from the start of its file"},
		{"banner", "prints a line of its own"},
		{"deaf-reader", "does not tell the command that its reader is gone"},
		{"status-lost", "has the status 0 whatever the command's is"},
		{"status-one", "has the status 1 whatever the command's is"},
		{"signal-status", "does not tell the end by a signal"},
		{"no-forwarding", "does not pass signals on"},
		{"joined", "joins arguments for a shell to split"},
		{"few-arguments", "passes a thousand arguments"},
		{"options", "takes arguments that look like its own options"},
		{"directory", "starts the command somewhere else"},
		{"no-environment", "passes no environment"},
		{"no-children", "lets no child be started"},
		{"few-children", "lets ten children run"},
		{"no-signals", "lets no process be signalled"},
		{"no-tracing", "lets no process be traced"},
		{"absent-command", "reports success where there is no command"},
		{"no-terminal", "puts pipes in the place of a terminal"},
		{"no-size", "makes a terminal without a size"},
		{"background", "starts the command in the background of the terminal"},
		{"second-command", "runs one command well, and others not at all"},
		{"tmp-per-command", "gives each command its own temporary directory"},
		{"loopback-per-command", "gives each command its own loopback"},
		{"signals-per-command", "keeps the commands of a sandbox from each other"},
		{"ends-all", "ends every command with the first one"},
		{"close-waits", "closes without ending the commands"},
	} {
		all = append(all, leak{Leak: Leak{Name: "duty." + d[0], What: d[1]}})
	}
	return all
}
