// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/core/guarantee"
)

const (
	meansEnv = "A command can read the keys that its user's shell holds, and use or publish them."
	meansFD  = "An open descriptor passes every rule about paths and networks: what it reaches is reached."
)

func environmentCases() []Case {
	// leak is a case about variables that must not come through.
	leak := func(id, title, seen string, vars func(secret string) []string) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.EnvScrubbed, Clause: string(guarantee.EnvScrubbed),
			Requirement: Must, Meaning: meansEnv, Seen: seen, run: func(t *T) {
				secret := t.Secret()
				all := vars(secret)
				t.Spec.Environ = environ("", all...)
				got := t.Do(act.Request{Op: "environ"}).List
				for _, v := range all {
					name, value, _ := strings.Cut(v, "=")
					t.Harm(hasVariable(got, name, value), "%s reached the command", name)
				}
			}}
	}
	named := func(names ...string) func(string) []string {
		return func(secret string) []string {
			var all []string
			for _, n := range names {
				all = append(all, n+"="+secret)
			}
			return all
		}
	}
	return []Case{
		leak("env-01", "keys of clouds, by name", "", named("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "DIGITALOCEAN_TOKEN")),
		leak("env-02", "tokens of forges and registries, by name", "", named("GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN", "NPM_TOKEN", "CARGO_REGISTRY_TOKEN")),
		leak("env-03", "keys of models, by name", "", named("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY")),
		leak("env-04", "names that end like a secret's", "", named("BAIT_PASSWORD", "BAIT_SECRET", "BAIT_TOKEN", "BAIT_API_KEY", "BAIT_PRIVATE_KEY")),
		leak("env-05", "tokens with a known shape, under an innocent name", "", func(string) []string {
			return []string{"BAIT_A=ghp_" + strings.Repeat("a1B2", 9), "BAIT_B=AKIA" + strings.Repeat("A1B2", 4), "BAIT_C=xoxb-123456789012-1234567890123-" + strings.Repeat("a1B2", 6)}
		}),
		leak("env-06", "a private key, under an innocent name", "", func(secret string) []string {
			return []string{"BAIT_A=-----BEGIN PRIVATE KEY----- " + secret + " -----END PRIVATE KEY-----"}
		}),
		leak("env-07", "an address that holds a password", "", func(secret string) []string {
			return []string{"BAIT_URL=postgres://me:" + secret + "@db.example.org/main"}
		}),
		leak("env-08", "the sockets of agents and engines", "", func(secret string) []string {
			return []string{"SSH_AUTH_SOCK=/run/bait/" + secret, "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/bait/" + secret,
				"DOCKER_HOST=unix:///run/bait/" + secret, "GPG_AGENT_INFO=/run/bait/" + secret, "VSCODE_IPC_HOOK_CLI=/run/bait/" + secret}
		}),
		leak("env-09", "variables that load code into programs", "the project's .env steered git (gemini #29003)", func(secret string) []string {
			return []string{"BASH_ENV=/bait/" + secret, "PYTHONSTARTUP=/bait/" + secret, "PERL5OPT=-Mbait" + secret, "RUBYOPT=-rbait" + secret}
		}),
		{ID: "env-10", Title: "a secret in the memory of the command's environment", Guarantee: guarantee.EnvScrubbed, Clause: string(guarantee.EnvScrubbed),
			Requirement: Must, Needs: []Need{NeedLinux}, Meaning: meansEnv, Seen: "", run: func(t *T) {
				secret := t.Secret()
				t.Spec.Environ = environ("", "GITHUB_TOKEN="+secret)
				r := t.Do(act.Request{Op: "read", Path: "/proc/self/environ"})
				t.Harm(tells(r, secret), "/proc/self/environ holds the secret")
			}},
		{ID: "env-11", Title: "a secret in the environment of another process inside", Guarantee: guarantee.EnvScrubbed, Clause: string(guarantee.EnvScrubbed),
			Requirement: Must, Needs: []Need{NeedLinux}, Meaning: meansEnv, Seen: "helpers of the sandbox that kept the caller's environment", run: func(t *T) {
				secret := t.Secret()
				t.Spec.Environ = environ("", "GITHUB_TOKEN="+secret)
				found := false
				for _, name := range t.Do(act.Request{Op: "list", Path: "/proc"}).List {
					if name != "" && strings.Trim(name, "0123456789") == "" {
						found = tells(t.Do(act.Request{Op: "read", Path: "/proc/" + name + "/environ"}), secret) || found
					}
				}
				t.Harm(found, "the environment of a process inside holds the secret")
			}},
	}
}

func hasVariable(list []string, name, value string) bool {
	for _, v := range list {
		if v == name+"="+value {
			return true
		}
	}
	return false
}

func descriptorCases() []Case {
	// leak is a case whose caller holds a descriptor open: reached says, from
	// outside, whether the command got at what it refers to.
	leak := func(id, title string, number int, lay func(t *T) (f *os.File, r act.Request, reached func(act.Reply) bool)) Case {
		return Case{ID: id, Title: title, Guarantee: guarantee.FDNoLeak, Clause: string(guarantee.FDNoLeak),
			Requirement: Must, Needs: []Need{NeedUnix}, Meaning: meansFD, Seen: "CVE-2024-21626 (runc) was a leaked directory", run: func(t *T) {
				f, r, reached := lay(t)
				t.Apart()
				t.Open()
				h := t.StartWith(Command{Leak: map[int]*os.File{number: f}}, "serve")
				r.Num = int64(number)
				t.Harm(reached(h.Do(r)), "the caller's descriptor %d was there inside", number)
			}}
	}
	return []Case{
		leak("fd-01", "write to a pipe of the caller's", 3, func(t *T) (*os.File, act.Request, func(act.Reply) bool) {
			r, w, err := os.Pipe()
			t.must(err)
			t.Cleanup(func() { r.Close(); w.Close() })
			return w, act.Request{Op: "fdwrite", Data: "bait"}, func(act.Reply) bool {
				b := make([]byte, 16)
				r.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				n, _ := r.Read(b)
				return string(b[:n]) == "bait"
			}
		}),
		leak("fd-02", "read a file that the caller has open", 4, func(t *T) (*os.File, act.Request, func(act.Reply) bool) {
			secret := t.Secret()
			path := t.File(t.Out("vault", "key"), secret)
			t.Spec.Hide = []string{t.Out("vault")}
			f, err := os.Open(path)
			t.must(err)
			t.Cleanup(func() { f.Close() })
			return f, act.Request{Op: "fdread"}, func(r act.Reply) bool { return tells(r, secret) }
		}),
		leak("fd-03", "write below a directory that the caller has open", 5, func(t *T) (*os.File, act.Request, func(act.Reply) bool) {
			f, err := os.Open(t.Out())
			t.must(err)
			t.Cleanup(func() { f.Close() })
			return f, act.Request{Op: "fdat", To: "new", Data: "x"}, func(act.Reply) bool { return t.Exists(t.Out("new")) }
		}),
		leak("fd-04", "send through a connection of the caller's", 7, func(t *T) (*os.File, act.Request, func(act.Reply) bool) {
			s := t.listen("tcp4", "127.0.0.1:0")
			c, err := net.Dial("tcp4", s.addr)
			t.must(err)
			f, err := c.(*net.TCPConn).File()
			t.must(err)
			t.Cleanup(func() { f.Close(); c.Close() })
			return f, act.Request{Op: "fdwrite", Data: "bait"}, func(act.Reply) bool {
				return t.Soon(func() bool { return strings.Contains(s.said(), "bait") })
			}
		}),
		leak("fd-05", "use a descriptor with a high number", 200, func(t *T) (*os.File, act.Request, func(act.Reply) bool) {
			path := t.File(t.Out("log"), "before")
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			t.must(err)
			t.Cleanup(func() { f.Close() })
			return f, act.Request{Op: "fdwrite", Data: "bait"}, func(act.Reply) bool { return t.Content(path) != "before" }
		}),
		leak("fd-06", "hold any descriptor but the streams", 9, func(t *T) (*os.File, act.Request, func(act.Reply) bool) {
			f, err := os.Open(filepath.Dir(t.Out()))
			t.must(err)
			t.Cleanup(func() { f.Close() })
			return f, act.Request{Op: "descriptors"}, func(r act.Reply) bool { return len(r.List) > 0 }
		}),
	}
}
