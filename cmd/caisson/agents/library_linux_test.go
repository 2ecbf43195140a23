// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// ownerName is what the executable of the tests is called where it is an agent that
// is killed.
const ownerName = "agent"

// TestLibraryDay is the agent's day through the library.
func TestLibraryDay(t *testing.T) {
	t.Parallel()
	dir, outside := workspace(t), workspace(t)
	p := policy.Standard(dir)
	sb, err := sandbox.Open(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	command := func(ctx context.Context, args ...string) *sandbox.Cmd {
		cmd := sb.Command(ctx, args[0], args[1:]...)
		cmd.Dir = dir
		return cmd
	}
	// a server in the background, asked by the next command
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the server of the day needs python3")
	}
	web := command(t.Context(), "python3", "-u", "-m", "http.server", "-b", "127.0.0.1", "0")
	out, err := web.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := web.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n') // Serving HTTP on 127.0.0.1 port N …
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(line, " port ")
	port, _, _ := strings.Cut(rest, " ")
	if text, err := command(t.Context(), "curl", "-sf", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:"+port+"/").Output(); err != nil || string(text) != "200" {
		t.Errorf("%q, %v", text, err)
	}
	// a test that fails, one that takes too long
	var exit *sandbox.ExitError
	if err := command(t.Context(), "sh", "-c", "exit 3").Run(); !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("%v, want status 3", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	late := command(ctx, "sleep", "1000")
	if err := late.Run(); err == nil || !late.Result().TimedOut && late.Result().Started {
		t.Errorf("%v, %+v", err, late.Result())
	}
	// an interactive one
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	shell := command(t.Context(), "sh", "-c", "read x; echo got $x")
	shell.Stdin, shell.Stdout, shell.Stderr, shell.NewSession = slave, slave, slave, true
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	if _, err := io.WriteString(master, "typed\r"); err != nil {
		t.Fatal(err)
	}
	if err := shell.Wait(); err != nil {
		t.Error(err)
	}
	if screen, _ := io.ReadAll(master); !strings.Contains(string(screen), "got typed") { // ends with EIO
		t.Errorf("%q", screen)
	}
	// 200 at once
	var many sync.WaitGroup
	for i := range 200 {
		many.Go(func() {
			if text, err := command(t.Context(), "echo", strconv.Itoa(i)).Output(); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(i) {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	many.Wait()
	// one that is denied, granted, and run again in another sandbox
	target := filepath.Join(outside, "file")
	if err := command(t.Context(), "sh", "-c", `echo hi > "$0"`, target).Run(); err == nil {
		t.Error("the write was not denied")
	}
	answer, err := sb.Explain(outside)
	if err != nil || answer.Grant == nil {
		t.Fatalf("%v, %+v", err, answer)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := sandbox.Open(t.Context(), p.With(*answer.Grant), nil); err != nil {
		t.Error(err)
	} else {
		defer again.Close()
		if err := again.Command(t.Context(), "sh", "-c", `echo hi > "$0"`, target).Run(); err != nil {
			t.Error(err)
		}
	}
}

// TestLibraryDeath: an agent that is killed leaves nothing.
func TestLibraryDeath(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	cmd := exec.Command("/proc/self/exe", dir)
	cmd.Args[0] = ownerName
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
	eventually(t, "both run", func() bool { return len(marked("77788")) >= 2 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	eventually(t, "nothing is left", func() bool { return len(marked("77788")) == 0 })
}

// agent opens a sandbox, leaves processes in it, and waits to be killed.
func agent(dir string) int {
	sb, err := sandbox.Open(context.Background(), policy.Standard(dir), nil)
	if err != nil {
		return 1
	}
	for _, script := range []string{"sleep 77788", "setsid sleep 77788 & exit 0"} {
		if err := sb.Command(context.Background(), "sh", "-c", script).Start(); err != nil {
			return 1
		}
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return 1
	}
	select {}
}
