// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// deaths is how many clients are killed, at moments that chance picks.
const deaths = 100

// lives are what the killed clients do: each line is a message to serve, in
// every state that a client can be in.
func lives(dir string) []string {
	open := fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"sandbox.open","params":{"workspace":[%q]}}`, dir)
	start := func(rest string) string {
		return `{"jsonrpc":"2.0","id":3,"method":"command.start","params":{"sandbox":"s1",` + rest + `}}`
	}
	script := func(text string) string { return `"argv":["sh","-c",` + strconv.Quote(text) + `]` }
	return []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":1}}`,
		open,
		start(script("sleep 77801")),
		start(script("setsid sleep 77801 & sleep 77801") + `,"tty":{"rows":9,"cols":9}`),
		start(script("cat; sleep 77801") + `,"stdin":true`),
		start(script("yes 77801")),
		`{"jsonrpc":"2.0","id":4,"method":"command.stdin","params":{"command":"c3","data":"` + strings.Repeat("eHh4", 30000) + `"}}`,
		`{"jsonrpc":"2.0","id":5,"method":"command.wait","params":{"command":"c1"}}`,
		start(script("sleep 77801") + `,"read_only":true`),
		`{"jsonrpc":"2.0","id":6,"method":"sandbox.close","params":{"sandbox":"s1"}}`,
	}
}

// TestDeaths: a client that is killed at any moment leaves nothing: no process, no
// directory, no mount, no session. The control is one that is not killed, whose
// commands run.
func TestDeaths(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	all := lives(dir)
	// A life without an end: what would be left is there.
	s := startRaw(t, program())
	if err := live(s.in, s.out, all[:len(all)-1], func() {}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "control: its commands run", func() bool { return len(marked("77801")) >= 4 })
	s.in.Close()
	s.out.Close()
	s.wait(t)
	eventually(t, "control: they end with the server", func() bool { return len(marked("77801")) == 0 })
	before := leftovers(t, dir)
	name := startSession(t, dir)
	slots := make(chan struct{}, 4)
	var dying sync.WaitGroup
	for i := range deaths {
		slots <- struct{}{}
		seed := rand.Uint64()
		dying.Go(func() {
			defer func() { <-slots }()
			chance := rand.New(rand.NewPCG(seed, uint64(i)))
			if err := die(chance, dir, name, all); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
	}
	dying.Wait()
	if out, status := caisson(t, "session", "run", name, "--", "echo", "well"); status != 0 || out != "well" {
		t.Errorf("the session that killed clients used does not go on: %d %s", status, out)
	}
	if out, status := caisson(t, "session", "end", name); status != 0 {
		t.Error(out)
	}
	eventually(t, "no process is left", func() bool { return len(marked("77801")) == 0 && len(marked(dir)) == 0 })
	eventually(t, "nothing else is left", func() bool { return leftovers(t, dir) == before })
}

// die lives one life, and is killed in it.
func die(chance *rand.Rand, dir, session string, all []string) error {
	var cmd *exec.Cmd
	moment := time.Duration(chance.IntN(120)) * time.Millisecond
	switch chance.IntN(4) {
	case 0: // one that waits for a command of a session
		cmd = exec.Command(program(), "session", "run", session, "--", "sh", "-c", "setsid sleep 77801 & sleep 77801")
	case 1: // one that starts a session, which it owns
		cmd = exec.Command("sh", "-c", `n=$("$0" session start --owner $$ -w "$1") && "$0" session run $n -- sleep 77801; :`, program(), dir)
	case 2: // caisson run
		cmd = exec.Command(program(), "run", "-w", dir, "--", "sh", "-c", "setsid sleep 77801 & sleep 77801")
	default:
		// serve is killed, or the client that writes to it ends.
		cmd = exec.Command(program(), "serve")
		n := chance.IntN(len(all) + 1)
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		byInput, pause, seed := chance.IntN(2) == 0, chance.IntN(30), chance.Uint64()
		go func() {
			own := rand.New(rand.NewPCG(seed, 0))
			_ = live(in, out, all[:n], func() { time.Sleep(time.Duration(own.IntN(pause+1)) * time.Millisecond) }) // it is cut off
		}()
		if byInput {
			if err := cmd.Start(); err != nil {
				return err
			}
			time.Sleep(4 * moment)
			in.Close()
			end := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
			_ = cmd.Wait() // how it went is seen by what is left
			if !end.Stop() {
				return fmt.Errorf("serve did not end with its input after %d messages", n)
			}
			return nil
		}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	time.Sleep(moment)
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	_ = cmd.Wait() // killed
	return nil
}

// live writes messages. It awaits the sandbox before it uses it, and reads nothing
// after that.
func live(in io.Writer, out io.Reader, lines []string, pause func()) error {
	reader := bufio.NewReader(out)
	for i, line := range lines {
		if _, err := fmt.Fprintln(in, line); err != nil {
			return err
		}
		for text := ""; i == 1 && !strings.Contains(text, `"sandbox":"s1"`); {
			var err error
			if text, err = reader.ReadString('\n'); err != nil {
				return err
			}
		}
		pause()
	}
	return nil
}

// leftovers describes what could be left but processes: directories of caisson for
// temporary files, sessions, mounts of the workspace, and files in it.
func leftovers(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, pattern := range []string{filepath.Join(sessions(), "*"), filepath.Join(dir, "*"), filepath.Join(dir, ".*")} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(pattern, sessions()) { // other tests have sessions too
			names = ofWorkspace(names, dir)
		}
		fmt.Fprintln(&b, names)
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&b, bytes.Count(text, []byte(dir)))
	return b.String()
}

// ofWorkspace keeps the files of sessions that belong to a workspace, and of those
// that nobody holds.
func ofWorkspace(names []string, dir string) (kept []string) {
	for _, name := range names {
		text, err := os.ReadFile(strings.TrimSuffix(name, filepath.Ext(name)) + ".lock")
		var info struct{ Workspace []string }
		if err == nil && json.Unmarshal(text, &info) == nil && len(info.Workspace) == 1 && info.Workspace[0] == dir {
			kept = append(kept, name)
		}
	}
	return kept
}

// TestNameRace: of many session starts with one name one succeeds, and the others say
// that there is one.
func TestNameRace(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	for range 3 {
		var all sync.WaitGroup
		outs, codes := make([]string, 5), make([]int, 5)
		for i := range codes {
			all.Go(func() {
				outs[i], codes[i] = caisson(t, "session", "start", "--owner", strconv.Itoa(os.Getpid()), "--name", "raced", "-w", dir)
			})
		}
		all.Wait()
		won := 0
		for i, code := range codes {
			switch {
			case code == 0 && outs[i] == "raced":
				won++
			case code != 125 || !strings.Contains(outs[i], "session-exists") && !strings.Contains(outs[i], "there is a session raced already"):
				t.Errorf("%d %s", code, outs[i])
			}
		}
		if won != 1 {
			t.Errorf("%d of them have it", won)
		}
		if out, status := caisson(t, "session", "run", "raced", "--", "echo", "well"); status != 0 || out != "well" {
			t.Errorf("%d %s", status, out)
		}
		if out, status := caisson(t, "session", "end", "raced"); status != 0 {
			t.Error(out)
		}
	}
	eventually(t, "no holder is left", func() bool { return len(marked(dir)) == 0 })
}

// TestEndRace: a command that is started while its session is ended either runs, whole,
// is killed, or is refused as one of a session that is not there.
func TestEndRace(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	for range 10 {
		name := startSession(t, dir)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				cmd := exec.Command(program(), "session", "run", name, "--", "sh", "-c", "echo one; echo two; sleep 77802")
				var out, errs bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &errs
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
				_ = cmd.Run() // the status tells
				code, text := cmd.ProcessState.ExitCode(), errs.String()
				refused := code == 125 && (strings.Contains(text, "there is no session") || strings.Contains(text, "the session ended") || strings.Contains(text, "the session is ending"))
				if !refused && code != 137 || strings.HasPrefix(out.String(), "two") {
					t.Errorf("%d: %q %s", code, &out, text)
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
		if out, status := caisson(t, "session", "end", name); status != 0 {
			t.Error(out)
		}
		all.Wait()
		if left := marked("77802"); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}
