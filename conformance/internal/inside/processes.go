// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

func processOps() map[string]op {
	return map[string]op{
		// hello: the process id and the working directory.
		"hello": func(*Helper, act.Request) act.Reply {
			dir, err := os.Getwd()
			reply := failed(err)
			reply.Num, reply.Data = int64(os.Getpid()), []byte(dir)
			return reply
		},
		// environ: the environment, as List.
		"environ": func(*Helper, act.Request) act.Reply { return act.Reply{List: os.Environ()} },
		// run Path Args Data: a program with Data as its input; its output is
		// Data and its status Num.
		"run": func(_ *Helper, r act.Request) act.Reply {
			for tries := 0; ; tries++ {
				reply := run(r)
				// Another thread of whoever wrote the program may have forked while
				// it was open, see ETXTBSY in execve(2).
				if reply.Errno != "ETXTBSY" || tries == 50 {
					return reply
				}
				time.Sleep(10 * time.Millisecond)
			}
		},
		// child Then: a child of the helper commits the acts.
		"child": func(_ *Helper, r act.Request) act.Reply { return child(r) },
		// leave Path Args: start a process that goes on after the helper ends
		// and writes to Path again and again. Args say how it hides: "session",
		// "twice", "deaf". Its process id is Num.
		"leave": func(_ *Helper, r act.Request) act.Reply {
			cmd := self(append([]string{"beat", r.Path}, r.Args...)...)
			hide(cmd, r.Args)
			if err := cmd.Start(); err != nil {
				return failed(err)
			}
			// It is not waited for: that would take its stops from a tracer.
			return act.Reply{Num: int64(cmd.Process.Pid)}
		},
		// beat Path: write to Path again and again in the helper itself.
		"beat": func(_ *Helper, r act.Request) act.Reply {
			go beat(r.Path)
			return act.Reply{}
		},
		// many Num: Num children at once; Num of the reply is how many ran.
		"many": func(_ *Helper, r act.Request) act.Reply { return many(int(r.Num)) },
		// eat Num: use Num bytes of memory.
		"eat": func(_ *Helper, r act.Request) act.Reply {
			held := make([][]byte, 0, 64)
			for left := r.Num; left > 0; left -= 1 << 20 {
				b := make([]byte, 1<<20)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				held = append(held, b)
			}
			runtime.KeepAlive(held)
			return act.Reply{Num: r.Num}
		},
		// kill PID Num: a signal to a process; 0 stands for SIGKILL.
		"kill": func(_ *Helper, r act.Request) act.Reply { return failed(kill(r.PID, int(r.Num))) },
		// processes: what can be told of the processes there are, as List.
		"processes": func(*Helper, act.Request) act.Reply { return processes() },
		// sleep Num: milliseconds.
		"sleep": func(_ *Helper, r act.Request) act.Reply {
			time.Sleep(time.Duration(r.Num) * time.Millisecond)
			return act.Reply{}
		},
	}
}

func run(r act.Request) act.Reply {
	cmd := exec.Command(r.Path, r.Args...)
	cmd.Stdin = strings.NewReader(r.Data)
	out, err := cmd.Output()
	reply := failed(err)
	reply.Data = out
	if cmd.ProcessState != nil {
		reply.Num = int64(cmd.ProcessState.ExitCode())
	}
	return reply
}

// self is the command that runs this executable as the helper again.
func self(args ...string) *exec.Cmd {
	exe := os.Args[0] // by its path as the suite gave it: /proc may be covered
	return exec.Command(exe, append([]string{act.NoTests, act.Marker}, args...)...)
}

func child(r act.Request) act.Reply {
	cmd := self("serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return failed(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return failed(err)
	}
	hide(cmd, r.Args)
	if err := cmd.Start(); err != nil {
		return failed(err)
	}
	var reply act.Reply
	answers := json.NewDecoder(out)
	for _, then := range r.Then {
		json.NewEncoder(in).Encode(then)
		var a act.Reply
		if err := answers.Decode(&a); err != nil {
			reply.Err, reply.Errno = "the child ended: "+err.Error(), "OTHER"
			break
		}
		reply.Replies = append(reply.Replies, a)
	}
	in.Close()
	cmd.Wait()
	reply.Num = int64(cmd.Process.Pid)
	return reply
}

// many starts n children at once and counts those that ran.
func many(n int) act.Reply {
	var started []*exec.Cmd
	var ends []io.Closer
	var first error
	for range n {
		cmd := self("cat")
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			first = err
			break
		}
		started, ends = append(started, cmd), append(ends, in)
	}
	for i, cmd := range started {
		ends[i].Close()
		cmd.Wait()
	}
	reply := failed(first)
	reply.Num = int64(len(started))
	return reply
}

// beat appends to a file for ten minutes at the most.
func beat(path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return
	}
	lock(f)
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		// The suite removes the file when the case is over.
		if _, err := os.Lstat(path); err != nil {
			return
		}
		if _, err := f.WriteString("."); err != nil {
			return
		}
	}
}

// roles are the ways to run the helper whose streams are not the suite's
// protocol.
func roles() map[string]func(*Helper, []string) int {
	return map[string]func(*Helper, []string) int{
		// cat copies its input to its output.
		"cat": func(*Helper, []string) int {
			if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
				return 1
			}
			return 0
		},
		// swallow checks that its input is N bytes of the pattern.
		"swallow": func(_ *Helper, args []string) int {
			n, _ := strconv.ParseInt(args[0], 10, 64)
			if err := Matches(os.Stdin, n); err != nil {
				os.Stderr.WriteString(err.Error())
				return 1
			}
			return 0
		},
		// pour prints N bytes of the pattern to its output, and then to the other.
		"pour": func(_ *Helper, args []string) int {
			n, _ := strconv.ParseInt(args[0], 10, 64)
			if Pour(os.Stdout, n) != nil {
				return 1
			}
			if len(args) > 1 && Pour(os.Stderr, n) != nil {
				return 1
			}
			return 0
		},
		// exit ends with a status.
		"exit": func(_ *Helper, args []string) int {
			n, _ := strconv.Atoi(args[0])
			return n
		},
		// args prints its arguments as JSON.
		"args": func(_ *Helper, args []string) int {
			json.NewEncoder(os.Stdout).Encode(args)
			return 0
		},
		// die ends by a signal that it sends itself.
		"die": func(_ *Helper, args []string) int {
			n, _ := strconv.Atoi(args[0])
			signal.Reset()
			die(n)
			return 99
		},
		// trap prints "ready", waits for a signal, prints it and those that come
		// with it, and ends with 7.
		"trap": func(*Helper, []string) int {
			c := make(chan os.Signal, 4)
			signal.Notify(c, trapped()...)
			os.Stdout.WriteString("ready\n")
			select {
			case s := <-c:
				os.Stdout.WriteString(s.String() + "\n")
				// Two threads may take two signals and change their order.
				for end := time.After(100 * time.Millisecond); ; {
					select {
					case s := <-c:
						os.Stdout.WriteString(s.String() + "\n")
					case <-end:
						return 7
					}
				}
			case <-time.After(20 * time.Second):
				return 98
			}
		},
		// wait prints "ready" and waits for the end of its input.
		"wait": func(*Helper, []string) int {
			os.Stdout.WriteString("ready\n")
			io.Copy(io.Discard, os.Stdin)
			return 0
		},
		// beat PATH [how]: see the act "leave".
		"beat": func(_ *Helper, args []string) int {
			if len(args) > 1 {
				escape(args)
			}
			beat(args[0])
			return 0
		},
		// ids prints its user and group, real and effective.
		"ids": func(*Helper, []string) int {
			fmt.Printf("real %d effective %d group %d effective %d\n", os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid())
			return 0
		},
		// spoil tries to change the file that is its standard input.
		"spoil":    spoil,
		"terminal": terminal,
	}
}
