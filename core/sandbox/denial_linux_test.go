// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// outside makes a directory that the caller may write and that is no temporary
// one: those are private inside.
func outside(t *testing.T) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp(home, ".caisson-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// traced opens a sandbox in which denials are observed.
func traced(t *testing.T, change func(*policy.Policy), o *sandbox.Options) (*sandbox.Sandbox, string) {
	t.Helper()
	return open(t, func(p *policy.Policy) {
		p.Require = append(p.Require, guarantee.DenialsReported)
		if change != nil {
			change(p)
		}
	}, o)
}

// denials runs a script and returns what was denied to it.
func denials(t *testing.T, sb *sandbox.Sandbox, dir, script string, args ...string) sandbox.Result {
	t.Helper()
	cmd := sb.Command(t.Context(), "sh", append([]string{"-c", script, "sh"}, args...)...)
	cmd.Dir = dir
	_ = cmd.Run() // what it says of its end is not looked at
	if !cmd.Result().Started {
		t.Fatal("the command was not started")
	}
	return cmd.Result()
}

func named(r sandbox.Result, operation, target string) *sandbox.Denial {
	i := slices.IndexFunc(r.Denials, func(d sandbox.Denial) bool { return d.Operation == operation && d.Target == target })
	if i < 0 {
		return nil
	}
	return &r.Denials[i]
}

// TestTracedFiles: each act that the policy refuses is reported with its rule
// and a grant under which the same act succeeds and is reported no more.
func TestTracedFiles(t *testing.T) {
	t.Parallel()
	out := outside(t)
	for _, c := range []struct {
		name, script, operation, target string
		grant                           diag.GrantKind
	}{
		{"create", `echo x > "$1/new"`, "create", "$1/new", diag.GrantWrite},
		{"write", `echo x > "$1/old"`, "write", "$1/old", diag.GrantWrite},
		{"append", `echo x >> "$1/old"`, "write", "$1/old", diag.GrantWrite},
		{"make a directory", `mkdir "$1/dir"`, "create", "$1/dir", diag.GrantWrite},
		{"remove", `rm -f "$1/old"`, "remove", "$1/old", diag.GrantWrite},
		{"move out", `echo x > f && mv f "$1/f"`, "create", "$1/f", diag.GrantWrite},
		{"mode", `chmod 600 "$1/old"`, "change", "$1/old", diag.GrantWrite},
		{"times", `touch "$1/old"`, "write", "$1/old", diag.GrantWrite},
		{"link", `ln -s x "$1/link"`, "create", "$1/link", diag.GrantWrite},
		{"from there", `cd "$1" && echo x > here`, "create", "$1/here", diag.GrantWrite},
		{"over a link", `ln -s "$1" way && echo x > way/linked`, "create", "$1/linked", diag.GrantWrite},
		{"over a dangling link", `ln -s "$1/gone" to && echo x > to`, "create", "$1/gone", diag.GrantWrite},
		{"read hidden", `cat "$1/secret/key"`, "read", "$1/secret/key", diag.GrantShow},
		{"look at hidden", `test -e "$1/secret/key"`, "look", "$1/secret/key", diag.GrantShow},
		{"execute hidden", `"$1/secret/key"`, "execute", "$1/secret/key", diag.GrantShow},
		{"protected", `echo x > kept/file`, "write", "$W/kept/file", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := filepath.Join(out, strings.ReplaceAll(c.name, " ", "-"))
			for _, d := range []string{base, filepath.Join(base, "secret")} {
				if err := os.Mkdir(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write := func(name string, mode os.FileMode) {
				if err := os.WriteFile(name, []byte("#!/bin/sh\n"), mode); err != nil {
					t.Fatal(err)
				}
			}
			write(filepath.Join(base, "old"), 0o644)
			write(filepath.Join(base, "secret/key"), 0o755)
			var events []sandbox.Denial
			var mu sync.Mutex
			options := &sandbox.Options{Denied: func(d sandbox.Denial) { mu.Lock(); events = append(events, d); mu.Unlock() }}
			hide := func(p *policy.Policy) {
				p.Files.Hide = append(p.Files.Hide, filepath.Join(base, "secret"))
				kept := filepath.Join(p.Workspace[0], "kept")
				if err := os.Mkdir(kept, 0o755); err != nil {
					t.Fatal(err)
				}
				write(filepath.Join(kept, "file"), 0o644)
				p.Files.Protect = append(p.Files.Protect, kept)
			}
			sb, dir := traced(t, hide, options)
			r := denials(t, sb, dir, c.script, base)
			target := strings.NewReplacer("$1", base, "$W", dir).Replace(c.target)
			d := named(r, c.operation, target)
			if d == nil {
				t.Fatalf("%s %s is not among %+v", c.operation, target, r.Denials)
			}
			mu.Lock()
			if named(sandbox.Result{Denials: events}, c.operation, target) == nil {
				t.Errorf("no event among %+v", events)
			}
			mu.Unlock()
			if d.Source != "trace" || d.Layer == "" || d.Rule.Origin.File == "" || d.Count < 1 {
				t.Errorf("%+v", d)
			}
			if c.grant == "" {
				return
			}
			if d.Grant == nil || d.Grant.Kind != c.grant {
				t.Fatalf("grant %+v, %s", d.Grant, d.Remedy)
			}
			sb, dir = traced(t, func(p *policy.Policy) { hide(p); *p = p.With(*d.Grant) }, nil)
			if r := denials(t, sb, dir, c.script, base); named(r, c.operation, target) != nil || r.Code != 0 {
				t.Errorf("with %s: status %d, %+v", d.Grant.Flags(), r.Code, r.Denials)
			}
		})
	}
}

// TestTracedNothing: what is allowed, and what fails in any case, is no denial.
func TestTracedNothing(t *testing.T) {
	t.Parallel()
	sb, dir := traced(t, nil, nil)
	out := outside(t)
	r := denials(t, sb, dir, `echo x > f; mkdir -p "$1"; mv f g; rm g; cat /etc/hosts /nonexistent; mkdir d; cd d; echo x > ../h; : > /dev/null; echo x > /tmp/t; rm "$1/none"; chmod 600 "$1/none"; echo x > "$1"; ls -la "$1" /`, out)
	if r.Denials == nil || len(r.Denials) > 0 {
		t.Errorf("%#v", r.Denials)
	}
	sb, dir = open(t, nil, nil)
	if r := denials(t, sb, dir, `echo x > "$1/f"`, out); r.Denials != nil {
		t.Errorf("not observed, and yet %+v", r.Denials)
	}
}

// TestDenialsHostileNames: names that would drive a terminal, forge lines or are
// no text are escaped, long ones cut, and no grant is made of them.
func TestDenialsHostileNames(t *testing.T) {
	t.Parallel()
	out := outside(t)
	sb, dir := traced(t, nil, nil)
	for _, name := range []string{
		"\x1b]0;owned\x07", "a\ncaisson: denied: nothing", "\xff\xfe", "a\u202eb", "x\u200bx", "\r", strings.Repeat("n", 200) + "/" + strings.Repeat("m", 255),
	} {
		r := denials(t, sb, dir, `mkdir "$1/$2"; mkdir -p "$1/$2/z"; echo x > "$1/$2"`, out, name)
		if len(r.Denials) == 0 {
			t.Errorf("%q: nothing was reported", name)
		}
		for _, d := range r.Denials {
			text, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []string{d.Target, d.Remedy, d.String(), string(text)} {
				if len(s) > 8000 || !utf8.ValidString(s) || strings.ContainsAny(s, "\x1b\x07\n\r\u202e\u200b\ufffd") {
					t.Errorf("%q: %q", name, s)
				}
			}
			if d.Grant != nil && strings.Contains(d.Grant.Value, name) && !strings.HasPrefix(name, "nn") {
				t.Errorf("%q: grant %q", name, d.Grant.Value)
			}
		}
	}
	long := strings.Repeat("d/", 2000)
	r := denials(t, sb, dir, `mkdir "$1/$2"; echo x > "$1/x"; cat "$3"`, out, long, strings.Repeat("p", 5000))
	for _, d := range r.Denials {
		if len(d.Target) > 1100 {
			t.Errorf("a target of %d bytes", len(d.Target))
		}
	}
	if named(r, "create", out+"/x") == nil {
		t.Error("the control is not reported")
	}
}

// TestDenialsFlood: any number of denials costs a bounded list.
func TestDenialsFlood(t *testing.T) {
	t.Parallel()
	out := outside(t)
	events := 0
	var mu sync.Mutex
	sb, dir := traced(t, nil, &sandbox.Options{Denied: func(sandbox.Denial) { mu.Lock(); events++; mu.Unlock() }})
	const tries = 3000
	r := denials(t, sb, dir, `i=0; while [ $i -lt `+fmt.Sprint(tries)+` ]; do echo > "$1/$i"; echo > "$1/same"; i=$((i+1)); done 2>/dev/null`, out)
	total := r.DenialsMore
	for _, d := range r.Denials {
		total += d.Count
	}
	if len(r.Denials) != 256 || events != 256 || total != 2*tries {
		t.Errorf("%d kept, %d events, %d counted", len(r.Denials), events, total)
	}
	if d := named(r, "create", out+"/same"); d == nil || d.Count != tries {
		t.Errorf("%+v", d)
	}
}

// TestTraceRace: a thread that changes the path while it is asked for gets no
// more than without tracing, and a process that dies meanwhile holds nothing up.
func TestTraceRace(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	out := outside(t)
	sb, dir := traced(t, nil, nil)
	r := denials(t, sb, dir, `cat > r.py <<'E'
import ctypes, os, sys, threading
c = ctypes.CDLL(None)
good, bad = (dir := os.getcwd().encode()) + b"/ok", sys.argv[1].encode() + b"/no"
buf = ctypes.create_string_buffer(max(len(good), len(bad)) + 1)
stop = False
def swap():
    while not stop:
        buf.value = good
        buf.value = bad
t = threading.Thread(target=swap); t.start()
for i in range(3000):
    fd = c.open(buf, os.O_WRONLY | os.O_CREAT, 0o600)
    if fd >= 0: os.close(fd)
stop = True; t.join()
for i in range(50):
    pid = os.fork()
    if pid == 0:
        threading.Thread(target=lambda: [os.path.exists(good) for _ in range(10**6)], daemon=True).start()
        while True: c.open(bad, os.O_WRONLY | os.O_CREAT, 0o600)
    os.kill(pid, 9); os.waitpid(pid, 0)
open("done", "w")
E
python3 r.py "$1"`, out)
	if _, err := os.Stat(filepath.Join(out, "no")); err == nil {
		t.Error("the file outside was made")
	}
	for _, name := range []string{"ok", "done"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error("the control: ", err)
		}
	}
	if named(r, "create", out+"/no") == nil {
		t.Errorf("%+v", r.Denials)
	}
}

// TestDeniedConnects: the broker tells what it refused whether or not files are
// observed.
func TestDeniedConnects(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	path := filepath.Join(outside(t), "s")
	sock, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	waitless, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer waitless.Close()
	sb, dir := open(t, nil, nil)
	r := denials(t, sb, dir, `cat > c.py <<'E'
import socket, sys
def go(family, to):
    try:
        s = socket.socket(family); s.connect(to); print("reached")
    except OSError as e: print(e)
go(socket.AF_UNIX, sys.argv[1])
go(socket.AF_INET, ("127.0.0.1", int(sys.argv[2])))
go(socket.AF_INET, ("192.0.2.1", 443))
go(socket.AF_INET6, ("2001:db8::1", 443))
go(socket.AF_INET, ("127.0.0.1", 1))
s = socket.socket(); s.setblocking(False); s.connect_ex(("127.0.0.1", int(sys.argv[3])))
E
python3 c.py "$1" "$2" "$3"`, path, fmt.Sprint(tcp.Addr().(*net.TCPAddr).Port), fmt.Sprint(waitless.Addr().(*net.TCPAddr).Port))
	want := []string{"unix:" + path, "net:" + tcp.Addr().String(), "net:" + waitless.Addr().String(), "net:192.0.2.1:443", "net:[2001:db8::1]:443"}
	for _, target := range want {
		if d := named(r, "connect", target); d == nil || d.Source != "broker" || d.Remedy == "" || d.Grant == nil || d.Layer != "standard" {
			t.Errorf("%s: %+v", target, d)
		}
	}
	if len(r.Denials) != len(want) {
		t.Errorf("%+v", r.Denials)
	}
}

// TestWatchDenials: what is moved away is one, with the grant that keeps it.
func TestWatchDenials(t *testing.T) {
	t.Parallel()
	sb, dir := open(t, nil, nil)
	r := denials(t, sb, dir, `echo x > .envrc; while test -e .envrc; do sleep 0.01; done; sleep 0.1`)
	d := named(r, "create", filepath.Join(dir, ".envrc"))
	if d == nil || d.Source != "watch" || d.Grant == nil || d.Grant.Kind != diag.GrantUnprotect {
		t.Errorf("%+v", r.Denials)
	}
}
