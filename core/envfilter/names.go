// SPDX-License-Identifier: Apache-2.0

package envfilter

import (
	"slices"
	"strings"
)

// A rule drops the variables whose name is one of names or begins with one of
// prefixes.
type rule struct {
	why      string
	names    []string
	prefixes []string
}

// nameRules lists what is dropped for its name. Search paths of interpreters
// (PYTHONPATH, CLASSPATH) and options of runtimes (NODE_OPTIONS,
// JAVA_TOOL_OPTIONS) pass: builds fail without them, and what they load runs
// inside.
func nameRules() []rule {
	return []rule{
		{
			why: "it leads to an agent or service that acts for the user",
			names: []string{
				"SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "SUDO_ASKPASS", "GIT_ASKPASS", "GPG_AGENT_INFO",
				"GNOME_KEYRING_CONTROL", "GNOME_KEYRING_PID", "KRB5CCNAME",
				"DOCKER_HOST", "CONTAINER_HOST", "CONTAINERD_ADDRESS", "BUILDKIT_HOST", "LIBVIRT_DEFAULT_URI",
				"XDG_RUNTIME_DIR", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
				"TMUX", "TMUX_PANE", "STY", "ZELLIJ", "KITTY_LISTEN_ON", "KITTY_PUBLIC_KEY", "WEZTERM_UNIX_SOCKET", "ALACRITTY_SOCKET",
				"NVIM", "NVIM_LISTEN_ADDRESS", "EMACS_SERVER_FILE", "EMACS_SOCKET_NAME", "VSCODE_INSPECTOR_OPTIONS",
				"DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "XAUTHORITY", "ICEAUTHORITY", "SESSION_MANAGER",
				"PULSE_SERVER", "PULSE_COOKIE", "PIPEWIRE_REMOTE", "SWAYSOCK", "I3SOCK", "NIRI_SOCKET", "WSL_INTEROP",
			},
			prefixes: []string{"DBUS_", "VSCODE_IPC_HOOK", "VSCODE_GIT_", "CURSOR_IPC_HOOK"},
		},
		{
			why: "it puts code into other programs",
			names: []string{
				"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND",
				"PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONBREAKPOINT", "PERL5OPT", "PERL5DB", "RUBYOPT", "PHPRC", "PHP_INI_SCAN_DIR",
				"GCONV_PATH", "LOCPATH", "NLSPATH", "GETCONF_DIR", "MALLOC_TRACE", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS",
				"GIO_EXTRA_MODULES", "GTK_MODULES", "GTK_PATH", "QT_PLUGIN_PATH", "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES",
				"GIT_SSH", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR",
				"LESSOPEN", "LESSCLOSE", "DOTNET_STARTUP_HOOKS",
			},
			prefixes: []string{"LD_", "DYLD_", "__XPC_DYLD_", "_RLD", "LDR_", "BASH_FUNC_", "GIT_CONFIG", "COR_PROFILER", "CORECLR_PROFILER"},
		},
	}
}

// secretWords are the words that make a name one of a secret.
var secretWords = [...]string{
	"PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "PWD", "SECRET", "SECRETS", "TOKEN", "TOKENS", "CREDENTIAL", "CREDENTIALS",
	"APIKEY", "JWT", "COOKIE", "COOKIES", "PAT", "DSN",
}

// secretEnds do so as the last word only.
var secretEnds = [...]string{"KEY", "KEYS", "AUTH"}

// secretPairs are two words in a row that do the same.
var secretPairs = [...]string{
	"API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "SECRET_KEY", "ENCRYPTION_KEY", "SIGNING_KEY", "ACCOUNT_KEY", "CONNECTION_STRING", "WEBHOOK_URL",
}

// harmless are names that only look like those of secrets.
var harmless = [...]string{"PWD", "OLDPWD"}

// nameReason says why a variable of that name is dropped, or "".
func nameReason(name string, fold bool) string {
	if slices.Contains(harmless[:], name) {
		return ""
	}
	same := func(a, b string) bool { return a == b }
	begins := strings.HasPrefix
	if fold {
		same = strings.EqualFold
		begins = func(s, prefix string) bool {
			return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
		}
	}
	for _, r := range nameRules() {
		for _, n := range r.names {
			if same(n, name) {
				return r.why
			}
		}
		for _, p := range r.prefixes {
			if begins(name, p) {
				return r.why
			}
		}
	}
	if secretName(name) {
		return "its name says that it is a secret"
	}
	return ""
}

// secretName reads NAME_TOKEN, name-token, nameToken and NAMETOKEN alike.
func secretName(name string) bool {
	words := words(name)
	for i, w := range words {
		if slices.Contains(secretWords[:], w) || i == len(words)-1 && i > 0 && slices.Contains(secretEnds[:], w) {
			return true
		}
		if i > 0 && slices.Contains(secretPairs[:], words[i-1]+"_"+w) {
			return true
		}
		for _, end := range [...]string{"PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "SECRETKEY", "ACCESSKEY", "PASSPHRASE"} {
			if len(w) > len(end) && strings.HasSuffix(w, end) {
				return true
			}
		}
	}
	return false
}

// words splits a name at what is no letter or digit, and where a capital
// follows a small letter.
func words(name string) []string {
	var words []string
	var word []byte
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToUpper(string(word)))
			word = word[:0]
		}
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		lower := c >= 'a' && c <= 'z'
		upper := c >= 'A' && c <= 'Z'
		if !lower && !upper && (c < '0' || c > '9') {
			flush()
			continue
		}
		if upper && i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
			flush()
		}
		word = append(word, c)
	}
	flush()
	return words
}
