// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// openSandbox opens a sandbox as an agent does that runs many commands.
func openSandbox(t *testing.T, change func(*policy.Policy)) (sb *sandbox.Sandbox, dir string) {
	t.Helper()
	dir = shared.workspace(t)
	p := policy.Standard(dir)
	if change != nil {
		change(&p)
	}
	sb, err := sandbox.Open(t.Context(), p, &sandbox.Options{Environ: shared.env})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
		wantNothingIn(t, dir)
	})
	return sb, dir
}

func bash(t *testing.T, sb *sandbox.Sandbox, script string) string {
	t.Helper()
	cmd := sb.Command(t.Context(), "bash", "-ec", script)
	cmd.Dir = sb.Resolved().Workspace()[0]
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(string(out))
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestThousandCommands(t *testing.T) {
	sb, _ := openSandbox(t, nil)
	bash(t, sb, "echo 0 >/tmp/n")
	count := 1000
	if testing.Short() {
		count = 100
	}
	before := 0
	for i := range count {
		if i == 10 {
			before = descriptors(t)
		}
		cmd := sb.Command(t.Context(), "sh", "-c", `read n </tmp/n; echo $((n+1)) >/tmp/n; exit $((n%7))`)
		if err := cmd.Run(); cmd.Result().Code != i%7 {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if after := descriptors(t); after > before+5 {
		t.Errorf("%d descriptors are open after %d before", after, before)
	}
	if got := bash(t, sb, "cat /tmp/n"); got != fmt.Sprint(count) {
		t.Errorf("%s commands ran", got)
	}
}

func TestFiftyCommandsSideBySide(t *testing.T) {
	sb, _ := openSandbox(t, nil)
	bash(t, sb, "mkfifo /tmp/gate")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			// Each waits for the gate, so that all live at once.
			got := bash(t, sb, fmt.Sprintf("touch /tmp/at%d; read x </tmp/gate || true; ls /tmp/at* | wc -l", i))
			if got != "50" {
				t.Errorf("%d: it sees %q", i, got)
			}
		})
	}
	bash(t, sb, "while test $(ls /tmp | grep -c ^at) != 50; do sleep 0.02; done; exec 3>/tmp/gate; sleep 0.3")
	all.Wait()
}

func TestServerOfAnEarlierCommand(t *testing.T) {
	need(t, "python3", "curl")
	sb, dir := openSandbox(t, nil)
	server := sb.Command(t.Context(), "python3", "-u", "-c", `
import http.server, os, socket, threading
s = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
u = socket.socket(socket.AF_UNIX); u.bind("/tmp/sock"); u.listen()
threading.Thread(target=lambda: u.accept()[0].sendall(b"unix"), daemon=True).start()
open("/tmp/pid", "w").write(str(os.getpid())); print(s.server_port); s.serve_forever()`)
	server.Dir = dir
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port = strings.TrimSpace(port)
	bash(t, sb, "echo served >page")
	if got := bash(t, sb, "curl -s --noproxy '*' http://127.0.0.1:"+port+"/page; rm page"); got != "served" {
		t.Errorf("the server says %q", got)
	}
	if got := bash(t, sb, `python3 -c 'import socket; c = socket.socket(socket.AF_UNIX); c.connect("/tmp/sock"); print(c.recv(9).decode())'`); got != "unix" {
		t.Errorf("the socket says %q", got)
	}
	bash(t, sb, "kill -TERM $(cat /tmp/pid)")
	if err := server.Wait(); err == nil || server.Result().Signal != syscall.SIGTERM {
		t.Errorf("%v", err)
	}
}

func TestTimeoutKillsOneTree(t *testing.T) {
	sb, _ := openSandbox(t, nil)
	other := sb.Command(t.Context(), "sh", "-c", "until test -e /tmp/end; do sleep 0.02; done")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := sb.Command(ctx, "bash", "-c", `(exec -a victim sleep 1000) & (setsid bash -c 'exec -a victim sleep 1000') & exec -a victim sleep 1000`).Run(); err == nil {
		t.Error("no error")
	}
	if got := bash(t, sb, "pgrep -fc '^victim' || true; touch /tmp/end"); got != "0" {
		t.Errorf("%s processes of the command are left", got)
	}
	if err := other.Wait(); err != nil {
		t.Errorf("another command: %v", err)
	}
}

func TestNamedTemporaryDirectory(t *testing.T) {
	tmp := shared.workspace(t)
	for i := range 2 {
		sb, _ := openSandbox(t, func(p *policy.Policy) { p.Tmp = tmp })
		got := bash(t, sb, `echo x >>"$TMPDIR/kept"; wc -l <"$TMPDIR/kept"; echo "$TMPDIR"; cmp "$TMPDIR/kept" /tmp/kept && touch "$(mktemp)"`)
		if want := fmt.Sprintf("%d\n%s", i+1, tmp); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(tmp, "kept")); err != nil || string(data) != "x\nx\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestCloseEndsRunningCommands(t *testing.T) {
	sb, _ := openSandbox(t, nil)
	var running []*sandbox.Cmd
	for range 10 {
		cmd := sb.Command(t.Context(), "bash", "-c", "trap '' TERM INT HUP; setsid sleep 1000 & echo started; while :; do sleep 1; done")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err == nil || cmd.Result().Signal != syscall.SIGKILL {
			t.Errorf("%v, %+v", err, cmd.Result())
		}
		if err := syscall.Kill(cmd.Pid(), 0); err != syscall.ESRCH {
			t.Errorf("process %d: %v", cmd.Pid(), err)
		}
	}
}
