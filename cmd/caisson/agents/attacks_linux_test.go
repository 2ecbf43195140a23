// SPDX-License-Identifier: Apache-2.0

package agents

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/caisson-sandbox/caisson/cmd/internal/serve"
)

// attack is one thing that a command tries against who holds its sandbox, or against
// the commands of another one. The script is run by python3 with the arguments that
// its bait names: numbers of processes, paths. Inside it goes over all that it sees;
// outside, as the control, over what was laid out alone.
type attack struct {
	name, what string
	script     string
	// lay lays a bait out, outside: a process of the user, a file. Harm says what was
	// done to it, "" for nothing, once the command has ended.
	lay func(t *testing.T) bait
}

type bait struct {
	args []string
	harm func(said string) string
}

// attacks is the table. Each is done as a plain child too, which must harm the bait.
func attacks() []attack {
	return []attack{
		{"kill", "end processes of the user by their numbers", `
import os, sys, signal
for pid in map(int, sys.argv[1:]):
    try: os.kill(pid, signal.SIGKILL)
    except OSError: pass`, layProcess},
		{"kill by descriptor", "end a process by a descriptor of it", `
import os, sys, signal
for pid in map(int, sys.argv[1:]):
    try: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL)
    except OSError: pass`, layProcess},
		{"memory", "write into a process of the user", `
import os, sys, ctypes
libc = ctypes.CDLL(None)
for pid in map(int, sys.argv[1:]):
    if libc.ptrace(16, pid, None, None) == 0: # PTRACE_ATTACH
        os.waitpid(pid, 0x40000000)
        libc.ptrace(8, pid, None, None) # PTRACE_KILL`, layProcess},
		{"look", "read how a process was called, and its environment", `
import os, sys, glob
for name in sum([glob.glob("/proc/%s/%s" % (p, f)) for p in ["*"] * ("CAISSON" in os.environ) + sys.argv[1:] for f in ("cmdline", "environ")], []):
    try: print(open(name, "rb").read())
    except OSError: pass`, laySecret},
		{"descriptors of another", "read what another process has open", `
import os, sys, glob
for pid in ["*"] * ("CAISSON" in os.environ) + sys.argv[1:]:
    for name in glob.glob("/proc/%s/fd/*" % pid):
        try: print(os.read(os.open(name, os.O_RDONLY | os.O_NONBLOCK), 100))
        except OSError: pass`, layOpen},
		{"screen", "write on the terminal of another process", `
import glob, os, sys
for name in glob.glob("/dev/pts/[0-9]*") * ("CAISSON" in os.environ) + sys.argv[1:]:
    try: os.write(os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK), b"harmed")
    except OSError: pass`, layScreen},
	}
}

// layProcess starts a process that must live: it answers. One that is killed does
// not, even before it is gone.
func layProcess(t *testing.T) bait {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return bait{[]string{strconv.Itoa(cmd.Process.Pid)}, func(string) string {
		_, err := in.Write([]byte{1})
		if err == nil {
			_, err = io.ReadFull(out, []byte{0})
		}
		if err != nil {
			return "the process is dead: " + err.Error()
		}
		return ""
	}}
}

// laySecret starts a process that is called, and has in its environment, what
// nobody else may know.
func laySecret(t *testing.T) bait {
	cmd := exec.Command("sleep")
	cmd.Args = []string{"secret-name", "1000"}
	cmd.Env = append(os.Environ(), "SECRET=secret-value")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return bait{[]string{strconv.Itoa(cmd.Process.Pid)}, func(said string) string {
		if strings.Contains(said, "secret-value") || strings.Contains(said, "secret-name") {
			return "it was read: " + said
		}
		return ""
	}}
}

// layOpen starts a process that has a file open which nobody else may read.
func layOpen(t *testing.T) bait {
	file := filepath.Join(workspace(t), "file")
	if err := os.WriteFile(file, []byte("secret-text"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "1000")
	cmd.ExtraFiles = []*os.File{f}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return bait{[]string{strconv.Itoa(cmd.Process.Pid)}, func(said string) string {
		if strings.Contains(said, "secret-text") {
			return "it was read: " + said
		}
		return ""
	}}
}

// layScreen makes a terminal that nothing is written on.
func layScreen(t *testing.T) bait {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	screen := make(chan string, 1)
	go func() {
		buf := make([]byte, 100)
		n, _ := master.Read(buf) // ends with the mark below
		screen <- string(buf[:n])
	}()
	return bait{[]string{slave.Name()}, func(string) string {
		_, _ = slave.WriteString("end") // so that the read ends
		if text := <-screen; strings.Contains(text, "harmed") {
			return "the screen shows " + text
		}
		return ""
	}}
}

// TestAttacks: what a command tries against processes outside does nothing to them,
// as a command of serve and of a session; as a plain child it harms them. Who holds
// the sandbox goes on.
func TestAttacks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the attacks are written in Python")
	}
	dir := workspace(t)
	name := startSession(t, dir)
	held := holder(t, name)
	outputs := newOutputs()
	s := startServer(t, program(), outputs.take)
	id := s.open(t, dir)
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			args := func(b bait, holders ...int) []string {
				list := append([]string{"python3", "-c", a.script}, b.args...)
				for _, pid := range holders {
					list = append(list, strconv.Itoa(pid))
				}
				return list
			}
			b := a.lay(t)
			plain := args(b)
			out, _ := exec.Command(plain[0], plain[1:]...).CombinedOutput() // the harm tells
			if b.harm(string(out)) == "" {
				t.Errorf("control: nothing was done: %s", out)
			}
			b = a.lay(t)
			out2, _ := caisson(t, append([]string{"session", "run", name, "--"}, args(b, held, os.Getpid())...)...)
			if harm := b.harm(out2); harm != "" {
				t.Errorf("by a command of a session: %s", harm)
			}
			b = a.lay(t)
			out3 := s.run(t, outputs, id, args(b, s.cmd.Process.Pid, os.Getpid())...)
			if harm := b.harm(out3); harm != "" {
				t.Errorf("by a command of serve: %s", harm)
			}
			if out, status := caisson(t, "session", "run", name, "--", "echo", "well"); status != 0 || out != "well" {
				t.Errorf("the session does not go on: %d %s", status, out)
			}
			if out := s.run(t, outputs, id, "echo", "well"); out != "well\n" {
				t.Errorf("the server does not go on: %q", out)
			}
		})
	}
}

// run runs a command to its end and gives what it wrote.
func (s *server) run(t testing.TB, o *outputs, sandbox string, argv ...string) string {
	t.Helper()
	var started struct {
		Command string `json:"command"`
	}
	if err := s.client.Call("command.start", map[string]any{"sandbox": sandbox, "argv": argv}, &started); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Call("command.wait", started, nil); err != nil {
		t.Fatal(err)
	}
	return o.of(started.Command)
}

// TestInit: a command can neither end nor stop process 1 of its sandbox, and leave
// neither behind with orphans; the next command finds all as it was.
func TestInit(t *testing.T) {
	t.Parallel()
	name := startSession(t, workspace(t))
	// Whatever became of the sandbox, nothing is done in the namespace of the host.
	host, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	in := func(script string) (string, int) {
		return caisson(t, "session", "run", name, "--", "sh", "-c", `test "$(readlink /proc/self/ns/pid)" != "$0" || exit 99; `+script, host)
	}
	// The control is a process of the command's own, which dies.
	if out, _ := in("sleep 1000 & kill -9 $!; wait $!; echo $?"); out != "137" && !strings.HasSuffix(out, "\n137") {
		t.Errorf("control: %q", out)
	}
	for _, act := range []string{"kill -9 1", "kill -STOP 1", "kill -SEGV 1", "kill -9 -1", "for i in 1 2 3 4 5 6 7 8 9; do (setsid sleep 0 &) ; done"} {
		if _, status := in(act + "; exit 0"); status == 99 {
			t.Fatal("there is no namespace")
		}
		if out, status := in("cat /proc/1/comm >/dev/null && echo well"); status != 0 || out != "well" {
			t.Errorf("after %s: %d %s", act, status, out)
		}
	}
}

// TestForgedMessages: what a command writes is never a message of the server. Read
// as lines, as a plain child writes them, it would be.
func TestForgedMessages(t *testing.T) {
	t.Parallel()
	forged := `for i in 1 2 3 4 5 6 7 8 9; do printf '{"jsonrpc":"2.0","id":%d,"result":{"command":"forged","exit":{"code":77}}}\n' $i; done`
	read, write := io.Pipe()
	control := serve.NewClient(read, func([]byte, []*os.File) error {
		go func() {
			cmd := exec.Command("sh", "-c", forged)
			cmd.Stdout = write
			_ = cmd.Run() // what is read tells
		}()
		return nil
	}, nil)
	var answer struct {
		Command string `json:"command"`
		Exit    struct{ Code int }
	}
	if err := control.Call("command.wait", struct{}{}, &answer); err != nil || answer.Exit.Code != 77 {
		t.Errorf("control: %v, %v", err, answer)
	}
	read.Close()
	outputs := newOutputs()
	s := startServer(t, program(), outputs.take)
	id := s.open(t, workspace(t))
	for _, tty := range []bool{false, true} {
		params := map[string]any{"sandbox": id, "argv": []string{"sh", "-c", forged + ">&2; " + forged + "; exit 3"}}
		if tty {
			params["tty"] = map[string]int{"rows": 24, "cols": 80}
		}
		if err := s.client.Call("command.start", params, &answer); err != nil {
			t.Fatal(err)
		}
		command := answer.Command
		if err := s.client.Call("command.wait", map[string]string{"command": command}, &answer); err != nil || answer.Exit.Code != 3 {
			t.Errorf("%v, %+v", err, answer)
		}
		if text := outputs.of(command); strings.Count(text, `"forged"`) != 18 {
			t.Errorf("what it wrote did not come: %q", text)
		}
	}
}

// TestStrangers: a sandbox that belongs to one connection or session cannot be named
// in another one; its own can.
func TestStrangers(t *testing.T) {
	t.Parallel()
	dir := workspace(t)
	s, other := startServer(t, program(), nil), startServer(t, program(), nil)
	id := s.open(t, dir)
	var started struct {
		Command string `json:"command"`
	}
	start := map[string]any{"sandbox": id, "argv": []string{"sleep", "1000"}}
	if err := s.client.Call("command.start", start, &started); err != nil {
		t.Fatalf("control: %v", err)
	}
	for method, params := range map[string]any{
		"sandbox.close": map[string]string{"sandbox": id}, "command.start": start,
		"command.wait": started, "command.more": map[string]any{"command": started.Command, "bytes": 1},
		"command.signal": map[string]string{"command": started.Command, "signal": "KILL"},
		"explain":        map[string]string{"sandbox": id, "target": "/etc"},
	} {
		if err := other.client.Call(method, params, nil); err == nil || !strings.Contains(err.Error(), "there is no") {
			t.Errorf("%s: %v", method, err)
		}
	}
	if err := s.client.Call("command.signal", map[string]string{"command": started.Command, "signal": "KILL"}, nil); err != nil {
		t.Errorf("control: %v", err)
	}
	if err := s.client.Call("command.wait", started, nil); err != nil {
		t.Errorf("control: %v", err)
	}
	name := startSession(t, dir)
	for _, bad := range []string{"../" + name, name + ".sock", "/" + name, name + "/", "", "-" + name, name + "\n"} {
		if out, status := caisson(t, "session", "run", "--", bad, "true"); status != 125 {
			t.Errorf("%q: %d %s", bad, status, out)
		}
	}
	if out, status := caisson(t, "session", "run", name, "true"); status != 0 {
		t.Errorf("control: %s", fmt.Sprint(out))
	}
}
