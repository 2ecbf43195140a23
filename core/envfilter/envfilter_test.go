// SPDX-License-Identifier: Apache-2.0

package envfilter

import (
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	pass := []string{
		"PATH", "HOME", "USER", "SHELL", "LANG", "LC_ALL", "TERM", "COLORTERM", "PWD", "OLDPWD", "TZ", "EDITOR", "TMPDIR", "SHLVL",
		"GOPATH", "GOFLAGS", "GOPRIVATE", "CARGO_HOME", "JAVA_HOME", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "PYTHONPATH", "VIRTUAL_ENV", "CLASSPATH",
		"AWS_PROFILE", "AWS_REGION", "KUBECONFIG", "DOCKER_CONFIG", "CI", "GITHUB_ACTIONS", "npm_config_cache", "CFLAGS", "PKG_CONFIG_PATH",
		"KEYBOARD", "MONKEY", "PATTERN", "COMPASS", "AUTHOR_NAME", "GIT_AUTHOR_NAME", "BYPASS_CHECK", "SSL_CERT_FILE", "http_proxy", "TOKENIZERS_PARALLELISM",
	}
	drop := []string{
		"SSH_AUTH_SOCK", "SSH_AGENT_PID", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "CONTAINER_HOST", "VSCODE_IPC_HOOK_CLI", "VSCODE_GIT_IPC_HANDLE",
		"TMUX", "STY", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "GPG_AGENT_INFO",
		"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV", "BASH_FUNC_ls%%", "PERL5OPT", "RUBYOPT", "GCONV_PATH",
		"PYTHONSTARTUP", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_GLOBAL", "GIT_EXEC_PATH", "PROMPT_COMMAND",
		"GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "OPENAI_API_KEY", "DB_PASSWORD", "MYSQL_PWD", "NPM_TOKEN", "my_secret", "apiToken",
		"GITHUB_PAT", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_CONNECTION_STRING", "SENTRY_DSN", "NODE_AUTH_TOKEN", "DBPASSWORD", "STRIPE_KEY",
		"npm_config__auth", "SLACK_WEBHOOK_URL", "SESSION_COOKIE", "PGPASSWORD", "service-token",
	}
	for _, name := range pass {
		if kept, dropped := Filter([]string{name + "=x"}, Rules{}); len(kept) != 1 || len(dropped) != 0 {
			t.Errorf("%s is dropped: %v", name, dropped)
		}
	}
	for _, name := range drop {
		if kept, dropped := Filter([]string{name + "=x"}, Rules{}); len(kept) != 0 || len(dropped) != 1 || dropped[0].Name != name || dropped[0].Why == "" {
			t.Errorf("%s passes", name)
		}
		if kept, dropped := Filter([]string{name + "=x"}, Rules{Pass: []string{name}}); len(kept) != 1 || len(dropped) != 0 {
			t.Errorf("%s does not pass by name: %v", name, dropped)
		}
		if kept, _ := Filter([]string{name + "=x"}, Rules{All: true}); len(kept) != 1 {
			t.Errorf("%s does not pass with all", name)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a1B2c3D4", 8)
	jwt := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"
	for _, v := range []string{
		"ghp_" + long, "Bearer ghp_" + long, "token=gho_" + long, "github_pat_" + long, "sk-" + long, "sk-ant-api03-" + long, "xoxb-123456789012",
		"AKIA" + "IOSFODNNQEXAMPLE", "AIza" + long, "glpat-" + long[:20], "npm_" + long, "pypi-" + long, "hf_" + long, jwt, "Authorization: Bearer " + jwt,
		"-----BEGIN RSA PRIVATE KEY-----\nMII", `-----BEGIN OPENSSH PRIVATE KEY-----\n`, "LS0tLS1CRUdJTiBSU0EgUFJJVkFURQ==",
		"postgres://u:p@h/db", "https://user:p%40ss@example.org", "a,https://x:y@z", "https://ghp_" + long + "@example.org", "https://" + long + "@example.org/x",
		"redis://:pw@localhost:6379", "Server=h;User Id=u;Password=p;", "AccountName=a;AccountKey=k==", "host=h user=u password=p",
		"https://hooks.slack.com/services/T0/B0/x", "https://discord.com/api/webhooks/1/x",
	} {
		if kept, dropped := Filter([]string{"X=" + v}, Rules{}); len(kept) != 0 || len(dropped) != 1 {
			t.Errorf("%q passes", v)
		} else if strings.Contains(dropped[0].Why, v) {
			t.Errorf("%q is told to the reader", v)
		}
	}
	for _, v := range []string{
		"", "/usr/bin:/bin", "https://example.org:8080/a@b", "https://user@example.org/x", "ssh://git@example.org/x", "http://proxy:3128",
		"sk-learn-contrib-examples-of-use", "npm_config_and_other_names_that_are_long_enough", "-----BEGIN CERTIFICATE-----", "a.b.c", "eyJ.x.y",
		"password=", "Password=p", "cd /x && PWD=/x", "Server=h;User Id=u;Password=", "https://hooks.slack.com/services/", "-Dx=1 -DtrustStorePassword=changeit",
		"AKIA", "key-value-pairs-in-a-list-of-names-that-is-long", "Mozilla/5.0 (X11; Linux x86_64)", "--max-old-space-size=4096",
		"https://ci.example.org/job/123456789/build/0123456789abcdef0123456789abcdef",
	} {
		if kept, dropped := Filter([]string{"X=" + v}, Rules{}); len(kept) != 1 {
			t.Errorf("%q is dropped: %v", v, dropped)
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		rules   Rules
		kept    []string
		dropped []string
	}{
		"order":           {environ: []string{"B=1", "A=2"}, kept: []string{"B=1", "A=2"}},
		"later wins":      {environ: []string{"A=1", "B=2", "A=3"}, kept: []string{"B=2", "A=3"}},
		"later drops":     {environ: []string{"X=1", "X=postgres://u:p@h"}, dropped: []string{"X"}},
		"malformed":       {environ: []string{"A", "=x", "", "A\x00=1", "B=\x00"}, dropped: []string{"", "", "", "A\x00", "B"}},
		"malformed, all":  {environ: []string{"A", "=x"}, rules: Rules{All: true}, dropped: []string{"", ""}},
		"empty value":     {environ: []string{"A="}, kept: []string{"A="}},
		"equals in value": {environ: []string{"A=b=c"}, kept: []string{"A=b=c"}},
		"set":             {environ: []string{"CI=0", "A=1"}, rules: Rules{Set: map[string]string{"CI": "1", "B": ""}}, kept: []string{"A=1", "B=", "CI=1"}},
		"set a secret":    {environ: []string{"A_TOKEN=x"}, rules: Rules{Set: map[string]string{"A_TOKEN": "y"}}, kept: []string{"A_TOKEN=y"}},
		"case matters":    {environ: []string{"a=1", "A=2"}, kept: []string{"a=1", "A=2"}},
		"case folds":      {environ: []string{"Path=1", "PATH=2"}, rules: Rules{FoldCase: true}, kept: []string{"PATH=2"}},
		"pass folds":      {environ: []string{"ld_preload=1"}, rules: Rules{FoldCase: true, Pass: []string{"LD_PRELOAD"}}, kept: []string{"ld_preload=1"}},
		"names fold":      {environ: []string{"docker_host=1"}, rules: Rules{FoldCase: true}, dropped: []string{"docker_host"}},
		"drive":           {environ: []string{`=C:=C:\x`}, rules: Rules{FoldCase: true}, kept: []string{`=C:=C:\x`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept, dropped := Filter(c.environ, c.rules)
			var names []string
			for _, d := range dropped {
				names = append(names, d.Name)
			}
			if !slices.Equal(kept, c.kept) || !slices.Equal(names, c.dropped) {
				t.Errorf("kept %q, dropped %q; want %q, %q", kept, names, c.kept, c.dropped)
			}
		})
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("A=1\nB=x", "A", true)
	f.Add("LD_PRELOAD=x\n=C:=y\nnone", "", false)
	f.Add("X=postgres://u:p@h", "x", true)
	f.Fuzz(func(t *testing.T, env, pass string, fold bool) {
		environ := strings.Split(env, "\n")
		kept, _ := Filter(environ, Rules{Pass: []string{pass}, FoldCase: fold})
		seen := map[string]bool{}
		for _, entry := range kept {
			if !slices.Contains(environ, entry) {
				t.Fatalf("%q comes from nowhere", entry)
			}
			name, value, ok := split(entry, fold)
			if !ok {
				t.Fatalf("%q is malformed", entry)
			}
			key := name
			if fold {
				key = strings.ToUpper(name)
			}
			if seen[key] {
				t.Fatalf("%q is there twice", name)
			}
			seen[key] = true
			named := name == pass || fold && strings.EqualFold(name, pass)
			if !named && (nameReason(name, fold) != "" || valueReason(value) != "") {
				t.Fatalf("%q passes", entry)
			}
		}
		again, dropped := Filter(kept, Rules{Pass: []string{pass}, FoldCase: fold})
		if !slices.Equal(again, kept) || len(dropped) != 0 {
			t.Fatalf("filtered again: %q, dropped %v", again, dropped)
		}
	})
}
