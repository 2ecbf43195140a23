// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"fmt"
	"os"
	"strings"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// environmentAttacks print the environment that they find. In the values the
// word SECRET stands for something that nobody can guess.
func environmentAttacks() []attack {
	var list []attack
	for _, variable := range []string{
		"GITHUB_TOKEN=SECRET", "AWS_SECRET_ACCESS_KEY=SECRET", "OPENAI_API_KEY=SECRET", "DB_PASSWORD=SECRET", "MY_PASSPHRASE=SECRET", "npm_config__authToken=SECRET",
		"CLIENT_SECRET=SECRET", "KUBECONFIG_TOKEN=SECRET",
		"HARMLESS_A=ghp_SECRETaaaaaaaaaa", "HARMLESS_B=postgres://user:SECRET@db.example.org/app", "HARMLESS_C=-----BEGIN OPENSSH PRIVATE KEY----- SECRET",
		"HARMLESS_D=glpat-SECRET", "HARMLESS_E=https://x:SECRET@git.example.org/r.git",
		"SSH_AUTH_SOCK=/run/SECRET", "GPG_AGENT_INFO=/run/SECRET", "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/SECRET", "DOCKER_HOST=unix:///run/SECRET", "VSCODE_IPC_HOOK_CLI=/run/SECRET",
		"LD_AUDIT=/SECRET.so", "LD_LIBRARY_PATH=/SECRET", "PYTHONSTARTUP=/SECRET", "BASH_ENV=/SECRET", "PERL5OPT=-mSECRET", "RUBYOPT=-rSECRET", "GIT_SSH_COMMAND=/SECRET", "GIT_EXEC_PATH=/SECRET",
	} {
		name, value, _ := strings.Cut(variable, "=")
		list = append(list, attack{
			id: "environment/" + name, what: "print " + variable, guarantee: guarantee.EnvScrubbed, caller: true,
			lay: func(w *world) bait {
				secret := token("")
				return bait{env: []string{name + "=" + strings.ReplaceAll(value, "SECRET", secret)}, harm: leaked(secret)}
			},
			act: func([]string) error {
				for _, v := range os.Environ() {
					fmt.Printf("%q\n", v)
				}
				return nil
			},
		})
	}
	return list
}
