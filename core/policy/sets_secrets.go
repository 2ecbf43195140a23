// SPDX-License-Identifier: Apache-2.0

package policy

import "strings"

// secrets lists @secrets. What is below ~/.config and ~/.local/share also
// counts where XDG_CONFIG_HOME and XDG_DATA_HOME move it.
func secrets() []Member {
	members := make([]Member, 0, 512)
	add := func(what string, paths ...string) {
		for _, p := range paths {
			members = append(members, Member{Path: p, What: what})
			if rest, ok := strings.CutPrefix(p, "~/.config/"); ok {
				members = append(members, Member{Path: "$XDG_CONFIG_HOME/" + rest, What: what})
			}
			if rest, ok := strings.CutPrefix(p, "~/.local/share/"); ok {
				members = append(members, Member{Path: "$XDG_DATA_HOME/" + rest, What: what})
			}
		}
	}
	only := func(os, what string, paths ...string) {
		from := len(members)
		add(what, paths...)
		for i := range members[from:] {
			members[from+i].OS = os
		}
	}
	list := func(what, path string) {
		members = append(members, Member{Path: path, What: what, List: true})
	}
	addKeys(add, only, list)
	addPackageCredentials(add, only)
	addAgentCredentials(add, only)
	addBrowsers(only)
	addPasswordStores(add, only)
	addHistories(add, only)
	return members
}

type (
	adder     = func(what string, paths ...string)
	osAdder   = func(os, what string, paths ...string)
	listAdder = func(what, path string)
)

func addKeys(add adder, only osAdder, list listAdder) {
	add("ssh keys, known hosts and configuration", "~/.ssh", "~/.putty")
	add("gpg keys", "~/.gnupg", "$GNUPGHOME")
	only("windows", "gpg keys", "$APPDATA/gnupg")
	only("linux", "password hashes and private keys of the system, which root can read",
		"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssl/private", "/etc/pki/tls/private",
		"/etc/krb5.keytab", "/etc/sudoers", "/etc/sudoers.d",
		"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key",
		"/etc/ssh/ssh_host_dsa_key",
		"/etc/NetworkManager/system-connections", "/etc/wireguard", "/root/.ssh")
	only("darwin", "password hashes and private keys of the system, which root can read",
		"/etc/master.passwd", "/etc/krb5.keytab", "/var/db/dslocal/nodes/Default/users", "/var/db/SystemKey",
		"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key", "/var/root/.ssh")
	add("the right to draw on, and read, the X display", "~/.Xauthority", "$XAUTHORITY", "~/.ICEauthority",
		"$ICEAUTHORITY")
	add("kerberos tickets and keys", "~/.krb5", "$KRB5_KTNAME")

	add("credentials and cached tokens of AWS", "~/.aws", "$AWS_SHARED_CREDENTIALS_FILE", "$AWS_CONFIG_FILE",
		"$AWS_WEB_IDENTITY_TOKEN_FILE")
	add("credentials of Google Cloud", "~/.config/gcloud", "$CLOUDSDK_CONFIG", "$GOOGLE_APPLICATION_CREDENTIALS",
		"~/.boto")
	only("windows", "credentials of Google Cloud", "$APPDATA/gcloud")
	add("credentials of Azure", "~/.azure", "$AZURE_CONFIG_DIR")
	add("credentials of Oracle Cloud", "~/.oci", "$OCI_CLI_CONFIG_FILE")
	add("credentials of other clouds", "~/.config/doctl", "~/.config/hcloud", "~/.config/linode-cli", "~/.config/scw",
		"~/.aliyun", "~/.ibmcloud",
		"~/.bluemix", "~/.config/openstack", "~/.fly", "~/.config/heroku", "~/.local/share/heroku", "~/.vercel",
		"~/.config/vercel",
		"~/.local/share/com.vercel.cli", "~/.config/netlify", "~/.netlify", "~/.config/.wrangler", "~/.wrangler",
		"~/.config/configstore/firebase-tools.json", "~/.railway",
		"~/.config/rclone", "$RCLONE_CONFIG", "~/.s3cfg", "~/.config/s3cmd", "~/.mc")
	only("darwin", "credentials of other clouds", "~/Library/Application Support/doctl",
		"~/Library/Preferences/netlify", "~/Library/Application Support/com.vercel.cli",
		"~/Library/Preferences/.wrangler")
	add("clusters and their keys", "~/.kube", "~/.minikube/profiles", "~/.talos", "~/.config/k9s")
	list("clusters and their keys", "$KUBECONFIG")
	add("tokens of Terraform, Pulumi and Vault", "~/.terraform.d/credentials.tfrc.json", "~/.terraformrc",
		"$TF_CLI_CONFIG_FILE",
		"~/.pulumi/credentials.json", "~/.vault-token", "~/.config/sops", "$SOPS_AGE_KEY_FILE", "~/.config/age",
		"~/.ansible/vault", "$ANSIBLE_VAULT_PASSWORD_FILE")
	only("windows", "tokens of Terraform", "$APPDATA/terraform.d/credentials.tfrc.json", "$APPDATA/terraform.rc")
}

func addPackageCredentials(add adder, only osAdder) {
	add("tokens of npm and its kin", "~/.npmrc", "$NPM_CONFIG_USERCONFIG", "$npm_config_userconfig", "~/.yarnrc.yml",
		"~/.config/pnpm/rc", "~/.bunfig.toml")
	add("tokens of Python package indexes", "~/.pypirc", "~/.config/pip", "~/.pip/pip.conf", "$PIP_CONFIG_FILE",
		"~/.config/pypoetry/auth.toml",
		"~/.config/uv/uv.toml", "~/.local/share/uv/credentials", "~/.config/hatch")
	only("darwin", "tokens of Python package indexes", "~/Library/Application Support/pip",
		"~/Library/Application Support/pypoetry/auth.toml")
	only("windows", "tokens of Python package indexes", "$APPDATA/pip", "$APPDATA/pypoetry/auth.toml")
	add("tokens of cargo", "~/.cargo/credentials", "~/.cargo/credentials.toml", "$CARGO_HOME/credentials",
		"$CARGO_HOME/credentials.toml")
	add("passwords of image registries", "~/.docker/config.json", "$DOCKER_CONFIG/config.json", "~/.docker/contexts",
		"~/.config/containers/auth.json",
		"$REGISTRY_AUTH_FILE", "~/.config/helm/registry", "~/.config/helm/repositories.yaml", "$HELM_REGISTRY_CONFIG",
		"$HELM_REPOSITORY_CONFIG")
	only("linux", "passwords of image registries", "$XDG_RUNTIME_DIR/containers/auth.json")
	only("darwin", "passwords of image registries", "~/Library/Preferences/helm/registry",
		"~/Library/Preferences/helm/repositories.yaml")
	add("tokens of RubyGems", "~/.gem/credentials", "~/.local/share/gem/credentials", "~/.bundle/config",
		"$BUNDLE_USER_CONFIG")
	add("passwords of Maven and Gradle repositories", "~/.m2/settings.xml", "~/.m2/settings-security.xml",
		"~/.gradle/gradle.properties",
		"$GRADLE_USER_HOME/gradle.properties", "~/.sbt/.credentials", "~/.ivy2/.credentials",
		"~/.config/coursier/credentials.properties")
	add("tokens of NuGet", "~/.nuget/NuGet", "~/.config/NuGet")
	only("windows", "tokens of NuGet", "$APPDATA/NuGet")
	add("tokens of other package tools", "~/.composer/auth.json", "~/.config/composer/auth.json",
		"$COMPOSER_HOME/auth.json", "~/.hex/hex.config", "~/.config/hex", "~/.pub-cache/credentials.json",
		"~/.config/dart/pub-credentials.json", "~/.cpan/CPAN/MyConfig.pm", "~/.pause", "~/.config/hub-tool",
		"~/.kaggle", "~/.cache/huggingface/token", "~/.cache/huggingface/stored_tokens", "$HF_TOKEN_PATH")

	add("tokens of code forges", "~/.config/gh", "$GH_CONFIG_DIR", "~/.config/glab-cli", "$GLAB_CONFIG_DIR",
		"~/.config/hub", "$HUB_CONFIG", "~/.config/tea", "~/.config/jj/repos-secrets")
	only("darwin", "tokens of code forges", "~/Library/Application Support/glab-cli",
		"~/Library/Application Support/tea")
	only("windows", "tokens of code forges", "$APPDATA/GitHub CLI", "$LOCALAPPDATA/glab-cli")
	add("passwords of git remotes", "~/.git-credentials", "~/.config/git/credentials", "~/.git-credential-cache",
		"~/.cache/git/credential", "~/.gcm")
	add("passwords of hosts", "~/.netrc", "~/_netrc", "$NETRC", "~/.authinfo", "~/.authinfo.gpg", "~/.curlrc",
		"~/.wgetrc", "~/.subversion/auth", "~/.config/subversion/auth", "~/.lftprc", "~/.config/lftp")
	add("passwords of databases", "~/.pgpass", "$PGPASSFILE", "~/.my.cnf", "~/.mylogin.cnf", "~/.dbt/profiles.yml",
		"~/.snowflake", "~/.snowsql", "~/.databrickscfg", "~/.mongorc.js", "~/.cassandra/cqlshrc")
	add("passwords of mail programs", "~/.msmtprc", "~/.config/msmtp", "~/.mbsyncrc", "~/.fetchmailrc", "~/.muttrc",
		"~/.mutt", "~/.config/mutt", "~/.config/neomutt", "~/.config/aerc", "~/.config/himalaya", "~/.thunderbird")
	only("darwin", "passwords of mail programs", "~/Library/Thunderbird", "~/Library/Mail")
	only("windows", "passwords of mail programs", "$APPDATA/Thunderbird")
}

func addAgentCredentials(add adder, only osAdder) {
	add("credentials of Claude Code", "~/.claude/.credentials.json", "$CLAUDE_CONFIG_DIR/.credentials.json",
		"~/.claude.json", "$CLAUDE_CONFIG_DIR/.claude.json")
	add("credentials of Codex", "~/.codex/auth.json", "$CODEX_HOME/auth.json")
	add("credentials of Gemini", "~/.gemini/oauth_creds.json", "~/.gemini/google_accounts.json",
		"~/.gemini/mcp-oauth-tokens.json", "~/.gemini/.env")
	add("credentials of Copilot", "~/.config/github-copilot", "~/.copilot/config.json", "~/.copilot/mcp-oauth-config")
	only("windows", "credentials of Copilot", "$LOCALAPPDATA/github-copilot")
	add("credentials of Cursor", "~/.cursor/mcp.json", "~/.config/cursor/auth.json",
		"~/.config/Cursor/User/globalStorage")
	add("credentials of other agents", "~/.aider.conf.yml", "~/.aider/oauth-keys.env",
		"~/.local/share/opencode/auth.json", "~/.local/share/opencode/mcp-auth.json", "~/.config/goose/secrets.yaml",
		"~/.local/share/amp/secrets.json", "~/.qwen/oauth_creds.json", "~/.continue", "~/.config/crush",
		"~/.local/share/crush/crush.json", "~/.codeium/config.json", "~/.factory/auth.json",
		"~/.kiro/settings/mcp.json", "~/.config/openai", "~/.config/io.datasette.llm/keys.json",
		"~/.config/Code/User/globalStorage")
	only("darwin", "credentials of agents inside editors", "~/Library/Application Support/Cursor/User/globalStorage",
		"~/Library/Application Support/Code/User/globalStorage", "~/Library/Application Support/Claude")
	only("windows", "credentials of agents inside editors", "$APPDATA/Cursor/User/globalStorage",
		"$APPDATA/Code/User/globalStorage", "$APPDATA/Claude")
}

func addBrowsers(only osAdder) {
	const what = "a browser's profile: passwords, cookies, history"
	only("linux", what, "~/.mozilla", "~/.config/mozilla", "~/.librewolf", "~/.config/google-chrome",
		"~/.config/google-chrome-beta", "~/.config/google-chrome-unstable", "~/.config/chromium",
		"~/.config/BraveSoftware", "~/.config/microsoft-edge", "~/.config/microsoft-edge-dev", "~/.config/vivaldi",
		"~/.config/opera", "~/.local/share/epiphany", "~/.config/falkon", "~/.local/share/qutebrowser",
		"~/snap/firefox", "~/snap/chromium", "~/snap/brave", "~/.var/app/org.mozilla.firefox",
		"~/.var/app/com.google.Chrome",
		"~/.var/app/org.chromium.Chromium", "~/.var/app/com.brave.Browser", "~/.var/app/com.microsoft.Edge",
		"~/.cache/mozilla", "~/.cache/google-chrome", "~/.cache/chromium", "~/.cache/BraveSoftware",
		"~/.cache/microsoft-edge")
	only("darwin", what, "~/Library/Safari", "~/Library/Containers/com.apple.Safari", "~/Library/Cookies",
		"~/Library/WebKit", "~/Library/Application Support/Firefox",
		"~/Library/Application Support/Google/Chrome", "~/Library/Application Support/Chromium",
		"~/Library/Application Support/BraveSoftware",
		"~/Library/Application Support/Microsoft Edge", "~/Library/Application Support/Arc",
		"~/Library/Application Support/Vivaldi", "~/Library/Application Support/com.operasoftware.Opera")
	only("windows", what, "$APPDATA/Mozilla", "$LOCALAPPDATA/Google/Chrome", "$LOCALAPPDATA/Chromium",
		"$LOCALAPPDATA/BraveSoftware",
		"$LOCALAPPDATA/Microsoft/Edge", "$LOCALAPPDATA/Vivaldi", "$APPDATA/Opera Software")
}

func addPasswordStores(add adder, only osAdder) {
	add("the store of pass", "~/.password-store", "$PASSWORD_STORE_DIR", "~/.local/share/gopass", "~/.config/gopass")
	add("1Password", "~/.config/op", "~/.op", "~/.1password", "~/.config/1Password")
	add("Bitwarden", "~/.config/Bitwarden", "~/.config/Bitwarden CLI", "$BITWARDENCLI_APPDATA_DIR", "~/.config/rbw",
		"~/.local/share/rbw")
	add("KeePassXC", "~/.config/keepassxc", "~/.cache/keepassxc")
	only("linux", "keyrings of the desktop", "~/.local/share/keyrings", "~/.local/share/kwalletd",
		"~/.kde/share/apps/kwallet", "~/.pki", "~/.local/share/kwallet")
	only("linux", "password managers in containers of the desktop", "~/snap/bitwarden", "~/snap/keepassxc",
		"~/.var/app/com.bitwarden.desktop", "~/.var/app/org.keepassxc.KeePassXC",
		"~/.var/app/com.onepassword.OnePassword")
	only("darwin", "keychains and password managers", "~/Library/Keychains",
		"~/Library/Application Support/1Password", "~/Library/Group Containers/2BUA8C4S2C.com.1password",
		"~/Library/Application Support/Bitwarden", "~/Library/Application Support/Bitwarden CLI",
		"~/Library/Application Support/KeePassXC")
	only("windows", "credentials, keys and password managers of the system", "$APPDATA/Microsoft/Credentials",
		"$LOCALAPPDATA/Microsoft/Credentials", "$APPDATA/Microsoft/Protect",
		"$LOCALAPPDATA/Microsoft/Vault", "$APPDATA/Microsoft/Vault", "$APPDATA/Microsoft/Crypto",
		"$LOCALAPPDATA/Microsoft/TokenBroker",
		"$LOCALAPPDATA/Microsoft/IdentityCache", "$LOCALAPPDATA/1Password", "$APPDATA/Bitwarden",
		"$APPDATA/Bitwarden CLI", "$APPDATA/KeePassXC", "$APPDATA/KeePass")
}

func addHistories(add adder, only osAdder) {
	add("what was typed at a shell", "$HISTFILE", "~/.bash_history", "~/.bash_sessions", "~/.sh_history",
		"~/.ksh_history", "~/.zsh_history", "~/.zhistory", "~/.histfile", "~/.zsh_sessions",
		"~/.local/share/zsh/history", "~/.local/share/zsh/zsh_history", "~/.local/share/fish/fish_history",
		"~/.local/share/atuin", "~/.config/nushell/history.txt", "~/.config/nushell/history.sqlite3",
		"~/.local/share/powershell/PSReadLine")
	add("what was typed at an interpreter", "~/.python_history", "$PYTHON_HISTORY",
		"~/.ipython/profile_default/history.sqlite", "~/.node_repl_history", "$NODE_REPL_HISTORY", "~/.irb_history",
		"~/.local/share/irb", "~/.pry_history", "~/.php_history", "~/.Rhistory", "~/.julia/logs/repl_history.jl",
		"~/.ghc/ghci_history", "~/.lua_history")
	add("what was typed at a database", "~/.psql_history", "$PSQL_HISTORY", "~/.mysql_history", "$MYSQL_HISTFILE",
		"~/.mariadb_history", "~/.sqlite_history", "$SQLITE_HISTORY", "~/.rediscli_history",
		"$REDISCLI_HISTFILE", "~/.mongodb/mongosh", "~/.dbshell", "~/.duckdb_history")
	add("what was searched or opened in other tools", "~/.lesshst", "$LESSHISTFILE", "~/.local/state/less",
		"~/.viminfo", "~/.local/state/nvim/shada", "~/.gdb_history", "$GDBHISTFILE", "~/.wget-hsts",
		"~/.local/share/recently-used.xbel")
	only("windows", "what was typed at a shell", "$APPDATA/Microsoft/Windows/PowerShell/PSReadLine")
}
