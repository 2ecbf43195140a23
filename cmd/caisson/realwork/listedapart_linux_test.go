// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestListedApart: there is no way round the proxy of a sandbox, and none to it
// from elsewhere, the host and a sandbox without a list included.
func TestListedApart(t *testing.T) {
	work := shared.workspace(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	reached := make(chan struct{}, 64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached <- struct{}{}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes")
			c.Close()
		}
	}()
	target := l.Addr().String()
	list := []string{"run", "-w", work, "-C", work, "--allow-host", target}
	run := func(args []string, line string) string {
		out, _ := shared.command("caisson", append(args, "--", "sh", "-c", line)...).CombinedOutput()
		return string(out)
	}
	came := func() bool {
		select {
		case <-reached:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	}
	if out := run(list, "curl -s --noproxy '' http://"+target); !strings.Contains(out, "yes") || !came() {
		t.Fatalf("the listed server is not reached: %s", out)
	}

	// A sandbox with the list lives on while others try.
	holder := shared.command("caisson", append(list, "--", "sh", "-c", "echo ready; read x")...)
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); _ = holder.Wait() }()
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the sandbox says %q", line)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(host, "61080"), time.Second); err == nil {
			c.Close()
			t.Errorf("the proxy can be reached from the host at %s", host)
		}
	}
	offline := []string{"run", "-w", work, "-C", work}
	other := []string{"run", "-w", work, "-C", work, "--allow-host", "elsewhere.example"}
	const proxy = "curl -s -m 5 --noproxy '' -x http://127.0.0.1:61080 http://"
	for name, c := range map[string]struct {
		args []string
		line string
	}{
		"offline, by the proxy of another sandbox":  {offline, proxy + target},
		"by a sandbox's own, with another list":     {other, proxy + target},
		"NO_PROXY for all":                          {list, "NO_PROXY='*' no_proxy='*' curl -s -m 5 http://" + target},
		"without any variable":                      {list, "env -i /usr/bin/env curl -s -m 5 http://" + target},
		"by a proxy of the host's that is no proxy": {list, "curl -s -m 5 --noproxy '' -x http://" + target + " http://evil.example/"},
		"a second proxy behind the first":           {other, "curl -s -m 5 --noproxy '' --preproxy http://127.0.0.1:61080 -x http://" + target + " http://elsewhere.example/"},
	} {
		if out := run(c.args, c.line); came() || strings.Contains(out, "yes") {
			t.Errorf("%s: the server was reached: %s", name, out)
		}
	}
	// The password of the host's own proxy is the host's.
	const look = "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null"
	const secret = "HTTPS_PROXY=http://user:word-of-the-host@127.0.0.1:1"
	for inside, cmd := range map[bool]*exec.Cmd{false: shared.command("sh", "-c", look), true: shared.command("caisson", append(list, "--", "sh", "-c", look)...)} {
		cmd.Env = append(cmd.Env, secret)
		out, _ := cmd.CombinedOutput() // some of the files are others'
		if text := string(out); strings.Contains(text, "word-of-the-host") == inside || !strings.Contains(text, "PATH=") {
			t.Errorf("inside %v: the password is to be seen only outside", inside)
		}
	}
	// Nothing of the proxy is left with a command.
	if out := run(list, "ls -l /proc/self/fd /proc/1/fd 2>/dev/null"); strings.Contains(out, "socket:") {
		t.Errorf("a command holds a socket:\n%s", out)
	}
}
