// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestSets(t *testing.T) {
	t.Parallel()
	variable := regexp.MustCompile(`^\$[A-Za-z_][A-Za-z0-9_]*(/|$)`)
	for _, set := range Sets() {
		if !isSet(set.Name) || set.About == "" || len(set.Members) == 0 {
			t.Errorf("set %+v", set)
		}
		seen := map[string]bool{}
		for _, m := range set.Members {
			key := m.Path + "\x00" + m.OS
			if m.What == "" || seen[key] || seen[m.Path+"\x00"] {
				t.Errorf("%s: %q has no sentence or is there twice", set.Name, m.Path)
			}
			seen[key] = true
			if !slices.Contains([]string{"", "linux", "darwin", "windows"}, m.OS) {
				t.Errorf("%s: %q on %q", set.Name, m.Path, m.OS)
			}
			if strings.Contains(m.Path, "..") || strings.HasSuffix(m.Path, "/") || strings.Contains(m.Path, `\`) {
				t.Errorf("%s: odd path %q", set.Name, m.Path)
			}
			if set.Name != "@secrets" {
				if strings.HasPrefix(m.Path, "/") || strings.HasPrefix(m.Path, "~") || strings.HasPrefix(m.Path, "$") {
					t.Errorf("%s: %q is not relative", set.Name, m.Path)
				}
				continue
			}
			if m.Absent != HoldNone || strings.Contains(m.Path, "*") {
				t.Errorf("%s: %+v", set.Name, m)
			}
			if !strings.HasPrefix(m.Path, "~/") && !strings.HasPrefix(m.Path, "/") && !variable.MatchString(m.Path) {
				t.Errorf("%s: %q has no base", set.Name, m.Path)
			}
			// A member that is a directory of all kinds of things would hide
			// more than secrets.
			if slices.Contains([]string{"~/.config", "~/.local", "~/.local/share", "~/.cache", "$HOME", "$XDG_CONFIG_HOME", "$APPDATA", "$LOCALAPPDATA"}, m.Path) {
				t.Errorf("%s: %q is too much", set.Name, m.Path)
			}
		}
	}
}

func TestSecretsCover(t *testing.T) {
	t.Parallel()
	set, ok := setNamed("@secrets")
	if !ok {
		t.Fatal("no @secrets")
	}
	for _, path := range []string{
		"~/.ssh", "~/.gnupg", "$GNUPGHOME", "~/.aws", "$AWS_SHARED_CREDENTIALS_FILE", "$AWS_CONFIG_FILE", "~/.config/gcloud", "$CLOUDSDK_CONFIG",
		"~/.azure", "$AZURE_CONFIG_DIR", "~/.oci", "~/.config/doctl", "~/.kube", "$KUBECONFIG", "~/.terraform.d/credentials.tfrc.json", "~/.vault-token",
		"~/.npmrc", "$NPM_CONFIG_USERCONFIG", "~/.pypirc", "$PIP_CONFIG_FILE", "~/.cargo/credentials.toml", "$CARGO_HOME/credentials.toml",
		"~/.docker/config.json", "$DOCKER_CONFIG/config.json", "~/.gem/credentials", "~/.nuget/NuGet", "~/.m2/settings.xml", "~/.m2/settings-security.xml",
		"~/.gradle/gradle.properties", "~/.composer/auth.json", "~/.config/helm/registry", "~/.config/gh", "$XDG_CONFIG_HOME/gh", "$GH_CONFIG_DIR",
		"~/.config/glab-cli", "~/.config/hub", "~/.git-credentials", "~/.netrc", "$NETRC", "~/.mozilla", "~/.config/google-chrome",
		"~/Library/Application Support/Google/Chrome", "~/.password-store", "$PASSWORD_STORE_DIR", "~/.local/share/keyrings", "$XDG_DATA_HOME/keyrings",
		"~/.local/share/kwalletd", "~/.config/op", "~/.config/Bitwarden CLI", "~/.config/keepassxc", "$HISTFILE", "~/.bash_history", "~/.zsh_history",
		"~/.local/share/fish/fish_history", "~/.python_history", "~/.node_repl_history", "~/.psql_history", "~/.mysql_history", "~/.sqlite_history", "~/.lesshst",
		"~/.rediscli_history", "~/.claude/.credentials.json", "~/.claude.json", "~/.codex/auth.json", "~/.Xauthority", "~/.ICEauthority", "/etc/shadow",
		"/etc/gshadow", "/etc/ssl/private", "/etc/ssh/ssh_host_ed25519_key",
	} {
		if !slices.ContainsFunc(set.Members, func(m Member) bool { return m.Path == path }) {
			t.Errorf("@secrets lacks %s", path)
		}
	}
}

func TestControlSets(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]map[string]Hold{
		"@repo-control":   {".git": HoldLink, "HEAD": HoldQuarantine, ".gitmodules": HoldReport, ".git/hooks": HoldDir, ".git/config": HoldNone},
		"@editor-control": {".envrc": HoldQuarantine, ".vscode": HoldQuarantine, ".idea": HoldQuarantine, ".zed": HoldQuarantine, ".helix": HoldQuarantine, ".devcontainer": HoldQuarantine, ".devcontainer.json": HoldQuarantine, ".bashrc": HoldQuarantine, ".zshenv": HoldQuarantine},
		"@agent-control":  {".mcp.json": HoldDir, ".caisson.toml": HoldDir, ".claude": HoldDir, ".codex": HoldDir, ".cursor": HoldDir},
	} {
		set, _ := setNamed(name)
		for _, m := range set.Members {
			if hold, ok := want[m.Path]; ok && hold == m.Absent {
				delete(want, m.Path)
			}
		}
		if len(want) != 0 {
			t.Errorf("%s lacks %v", name, want)
		}
	}
}
