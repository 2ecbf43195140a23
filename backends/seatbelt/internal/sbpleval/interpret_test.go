// SPDX-License-Identifier: Apache-2.0

package sbpleval

import (
	"strings"
	"testing"
)

const begin = "(version 1)\n(deny default)\n"

func TestInterpretRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                     "does not begin",
		"(version 1)":                          "does not begin",
		"(version 2)\n(deny default)":          "version other",
		"(deny default)":                       "version stands first",
		begin + "(version 1)":                  "version stands first",
		begin + "(allow file-raed*)":           "unbound variable: file-raed*",
		begin + "(allow file-read)":            "unbound variable: file-read",
		begin + "(alow file-read*)":            "unbound variable: alow",
		begin + "(allow)":                      "without an operation",
		begin + "(allow file* file*)":          "twice",
		begin + "(import \"system.sb\")":       "unbound variable: import",
		begin + "(allow file-read* (subpath))": "0 parts",
		begin + "(allow file-read* (subpath \"/a\" \"/b\"))":                          "2 parts",
		begin + "(allow file-read* (subpath \"/a/\"))":                                "no file has the path",
		begin + "(allow file-read* (subpath \"a\"))":                                  "no file has the path",
		begin + "(allow file-read* (literal \"/a/../b\"))":                            "no file has the path",
		begin + "(allow file-read* (subpath \"\"))":                                   "expected pattern",
		begin + "(allow file-read* (subpath (param \"NONE\")))":                       "expected pattern, got boolean",
		begin + "(allow file-read* (subpath (string-append \"/a\" (param \"N\"))))":   "must be: string",
		begin + "(allow file-read* (subdir \"/a\"))":                                  "unbound variable: subdir",
		begin + "(allow file-read* (require-all))":                                    "0 parts",
		begin + "(allow file-read* (require-not))":                                    "0 parts",
		begin + "(allow file-read* ())":                                               "unbound variable",
		begin + "(allow file-read* \"/a\")":                                           "unbound variable",
		begin + "(allow file-read* (vnode-type DIRECTRY))":                            "unbound variable",
		begin + "(deny file-ioctl (ioctl-command TIOCSTI))":                           "unbound variable: TIOCSTI",
		begin + "(allow network-outbound (remote ip \"10.0.0.1:80\"))":                "host must be",
		begin + "(allow network-outbound (remote ip \"localhost:99999\"))":            "host must be",
		begin + "(allow network-outbound (remote ip \"localhost\"))":                  "host must be",
		begin + "(allow network-outbound (remote sctp \"*:1\"))":                      "unbound variable: sctp",
		begin + "(allow file-read*)(allow file-read*)":                                "two fallbacks",
		begin + "(allow file-read* (regex #\"\\d\"))":                                 "not every release",
		begin + "(allow file-read* (regex #\"(?i)x\"))":                               "not every release",
		begin + "(allow file-read* (regex #\"a{2}\"))":                                "not every release",
		begin + "(allow file-read* (regex #\"(\"))":                                   "pattern",
		begin + "(allow file-read* (literal \"/\\n\"))":                               "escape",
		begin + "(allow file-read* (literal \"/\\x41\"))":                             "escape",
		begin + "(allow file-read* (literal \"/\n\"))":                                "control character",
		begin + "(allow file-read* (literal \"/\u0085\"))":                            "control character",
		begin + "(allow file-read* (literal \"/" + strings.Repeat("a", 1000) + "\"))": "Error reading string",
		begin + "(allow file-read*":                                                   "no end",
		begin + "(allow file-read*))":                                                 "did not begin",
		begin + "\"x":                                                                 "no end",
		begin + "#\"x":                                                                "no end",
		begin + "#| x":                                                                "no end",
		begin + "x#y":                                                                 "no word",
		begin + "\xff":                                                                "UTF-8",
		begin + "(if #t)":                                                             "condition",
		begin + "(when unknown (allow file*))":                                        "unbound variable: unknown",
		begin + strings.Repeat("(", 100):                                              "deeply",
	} {
		if p, err := Interpret(text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want an error with %q", text, p, err, want)
		}
	}
}

// TestInterpretReads wants the parts of the language that profiles of others
// use to mean what they mean.
func TestInterpretReads(t *testing.T) {
	t.Parallel()
	text := begin + `
; a comment (allow file-write*)
#| (allow file-write*) |#
(define dir (string-append (param "BASE") "/in"))
(if (param "WRITE") (allow file-write* (subpath dir)) (allow file-read* (subpath dir)))
(when (param "NONE") (allow file-ioctl))
(begin (allow process-exec) (allow file-unlink (literal "/x \"y\" \\ (z);")))
`
	p, err := Interpret(text, map[string]string{"BASE": "/b", "WRITE": "1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Models() {
		for op, path := range map[string]string{"file-write-data": "/b/in/x", "process-exec*": "/bin/ls", "file-write-unlink": `/x "y" \ (z);`} {
			if !p.Decide(m, op, Request{Path: path}) {
				t.Errorf("%s of %s is denied", op, path)
			}
		}
		for op, path := range map[string]string{"file-read-data": "/b/in/x", "file-write-data": "/b/other", "file-ioctl": "/b/in/x", "nonsense": "/b/in/x"} {
			if p.Decide(m, op, Request{Path: path}) {
				t.Errorf("%s of %s is allowed", op, path)
			}
		}
	}
	if n := len(p.Rules()); n != 4 {
		t.Errorf("%d rules, want 4", n)
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	if n := len(Operations("file-write*")); n != 11 {
		t.Errorf("%d ways to write, want 11", n)
	}
	if n := len(Operations("")); n < 80 {
		t.Errorf("%d operations", n)
	}
}

// TestIncidents rebuilds, in few rules, profiles by which others were broken,
// and wants the evaluator to see the hole.
func TestIncidents(t *testing.T) {
	t.Parallel()
	w, err := NewWorld("/h/.ssh/id\n/w/.git/config\n/w/sub/conf\n/w/x\n/tmp -> private/tmp\n/private/tmp/\n/private/var/run/mDNSResponder socket\n", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, rules, hole, control string }{
		{"secrets stay readable because the denial is wider than the allowance",
			`(allow file-read-data)(deny file-read* (subpath "/h/.ssh"))`, "", "read /h/.ssh/id"},
		{"a secret is moved to where it may be read", `(allow file-read*)(allow file-write*)(deny file-read* (subpath "/h/.ssh"))`,
			"rename /h/.ssh /h/y", "read /h/.ssh/id"},
		{"a protected file goes with its directory", `(allow file-write* (subpath "/w"))(deny file-write* (literal "/w/sub/conf"))`,
			"rename /w/sub /w/y", "write /w/sub/conf"},
		{"a rule on a link means nothing", `(allow file-write*)(deny file-write* (subpath "/tmp"))`, "create /tmp/x", ""},
		{"defaults that are appended last", `(allow file-read*)(deny file-write* (subpath "/"))(allow file-write* (subpath "/private/tmp"))`,
			"create /tmp/x", "write /w/x"},
		{"names are resolved through a socket", `(allow system-socket)(allow network-outbound (remote unix-socket (subpath "/private/var/run")))`,
			"connect unix /private/var/run/mDNSResponder", "connect udp 192.0.2.53:53"},
		{"names to be made are compared as typed", `(allow file-write* (subpath "/w"))(deny file-write* (subpath "/w/.envrc"))`,
			"create /w/.ENVRC", "create /w/.envrc"},
	} {
		p, err := Interpret(begin+c.rules, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		allowed := func(act string) (all, some bool) {
			args := strings.Fields(act)
			list, err := w.Lower(args[0], args[1:]...)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			all = true
			for _, m := range Models() {
				ok := p.Allowed(m, list)
				all, some = all && ok, some || ok
			}
			return all, some
		}
		if c.hole != "" {
			if _, some := allowed(c.hole); !some {
				t.Errorf("%s: the hole %q is not seen", c.name, c.hole)
			}
		} else if all, some := allowed(c.control); all || !some {
			t.Errorf("%s: the readings agree about %q", c.name, c.control)
		}
		if c.hole != "" && c.control != "" {
			if _, some := allowed(c.control); some {
				t.Errorf("%s: %q is allowed", c.name, c.control)
			}
		}
	}
}

func FuzzInterpret(f *testing.F) {
	f.Add(begin+`(allow file-read* (subpath "/a"))`, "/a/b")
	f.Add(begin+`(deny file-write* (require-all (regex #"^/a(/|$)") (require-not (literal "/a/b"))))`, "/a/B")
	f.Add(begin+`(allow network-outbound (remote ip "localhost:80"))`, "tcp 127.0.0.1:80")
	f.Fuzz(func(t *testing.T, text, path string) {
		p, err := Interpret(text, map[string]string{"TMP": "/t"})
		if err != nil {
			return
		}
		for _, m := range Models() {
			p.Decide(m, "file-write-data", Request{Path: path, Remote: path, Name: path})
			p.Decide(m, "network-outbound", Request{Path: path, Remote: path, Name: path})
		}
	})
}
