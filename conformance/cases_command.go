// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
	"github.com/caisson-sandbox/caisson/conformance/internal/inside"
)

const (
	meansStream  = "Pipelines and programs that read a command's output get something else than the command wrote, or wait for ever."
	meansCommand = "Callers cannot tell how a command ended, or run another one than they meant."
)

func streamDuties() []Case {
	duty := func(id, title string, run func(*T)) Case {
		return Case{ID: id, Title: title, Clause: "duties", Requirement: Must, Meaning: meansStream, run: run}
	}
	const size = 4 << 20
	return []Case{
		duty("stream-01", "the output comes byte for byte", func(t *T) {
			h := t.Start("pour", number(size))
			err := inside.Matches(h.out, size)
			t.Want(err == nil, "the output is not what was written: %v", err)
			t.Want(h.Wait().Code == 0, "the status is not 0")
		}),
		duty("stream-02", "the input arrives byte for byte", func(t *T) {
			h := t.Start("swallow", number(size))
			err := inside.Pour(h.in, size)
			e := h.Wait()
			t.Want(err == nil && e.Code == 0, "the input is not what was sent: %v %s", err, h.errors)
		}),
		duty("stream-03", "what goes in comes out, both at once", func(t *T) {
			h := t.Start("cat")
			var wait sync.WaitGroup
			wait.Go(func() { inside.Pour(h.in, size); h.in.Close() })
			err := inside.Matches(h.out, size)
			wait.Wait()
			t.Want(err == nil, "the echo is not what was sent: %v", err)
		}),
		duty("stream-04", "output and error output are kept apart", func(t *T) {
			r, w, err := os.Pipe()
			t.must(err)
			t.Open()
			h := t.StartWith(Command{Stderr: w}, "pour", "1000", "both")
			w.Close()
			h.ends = append(h.ends, r)
			first, second := inside.Matches(h.out, 1000), inside.Matches(r, 1000)
			t.Want(first == nil, "the output: %v", first)
			t.Want(second == nil, "the error output: %v", second)
		}),
		duty("stream-05", "the end of the input is seen", func(t *T) {
			h := t.Start("cat")
			h.in.Close()
			t.Want(len(h.Rest()) == 0 && h.Wait().Code == 0, "an empty input is not an empty input")
		}),
		duty("stream-06", "the input can be a file, and is read from its offset", func(t *T) {
			path := t.File(t.In("input"), "first second")
			f, err := os.Open(path)
			t.must(err)
			defer f.Close()
			_, err = f.Seek(6, io.SeekStart)
			t.must(err)
			t.Open()
			h := t.StartWith(Command{Stdin: f}, "cat")
			got := string(h.Rest())
			t.Want(got == "second", "the command read %q", oneLine(got))
		}),
		duty("stream-07", "the output can be a file", func(t *T) {
			f, err := os.Create(t.In("output"))
			t.must(err)
			defer f.Close()
			t.Open()
			h := t.StartWith(Command{Stdout: f}, "pour", "5000")
			h.Wait()
			got, err := os.Open(t.In("output"))
			t.must(err)
			defer got.Close()
			err = inside.Matches(got, 5000)
			t.Want(err == nil, "the file is not what was written: %v", err)
		}),
		duty("stream-08", "nothing is added to what the command prints", func(t *T) {
			h := t.Start("exit", "0")
			out := h.Rest()
			h.Wait()
			<-h.errors.done
			t.Want(len(out) == 0, "the output holds %q", oneLine(string(out)))
			t.Want(h.errors.String() == "", "the error output holds %q", oneLine(h.errors.String()))
		}),
		{ID: "stream-09", Title: "a reader that goes away ends the writer", Clause: "duties", Requirement: Must, Needs: []Need{NeedUnix}, Meaning: meansStream, run: func(t *T) {
			h := t.Start("pour", number(1<<40))
			b := make([]byte, 100)
			io.ReadFull(h.out, b)
			for _, f := range h.ends {
				f.Close()
			}
			ended := make(chan struct{})
			go func() { h.wait(); close(ended) }()
			select {
			case <-ended:
				t.Want(true, "")
			case <-time.After(3 * time.Second):
				t.Want(false, "the writer goes on")
			}
		}},
	}
}

func commandDuties() []Case {
	duty := func(id, title string, needs []Need, run func(*T)) Case {
		return Case{ID: id, Title: title, Clause: "duties", Requirement: Must, Needs: needs, Meaning: meansCommand, run: run}
	}
	unix := []Need{NeedUnix}
	arguments := func(args ...string) func(*T) {
		return func(t *T) {
			h := t.Start("args", args...)
			var got []string
			err := json.Unmarshal(bytes.TrimSpace(h.Rest()), &got)
			t.Want(err == nil && slices.Equal(got, args), "%d arguments came instead of %d, or they differ", len(got), len(args))
		}
	}
	return []Case{
		duty("command-01", "the status of the command is the status", nil, func(t *T) {
			codes := []int{0, 1, 42, 255}
			if t.arm != many {
				// A sandbox with one command has one status.
				codes = []int{42}
			}
			for _, code := range codes {
				e := t.Start("exit", strconv.Itoa(code)).Wait()
				t.Want(e.Code == code, "the status is %d instead of %d", e.Code, code)
			}
		}),
		duty("command-02", "a command that succeeds has the status 0", nil, func(t *T) {
			e := t.Start("exit", "0").Wait()
			t.Want(e.Code == 0, "the status is %d", e.Code)
		}),
		duty("command-03", "a high status is kept", nil, func(t *T) {
			e := t.Start("exit", "255").Wait()
			t.Want(e.Code == 255, "the status is %d instead of 255", e.Code)
		}),
		duty("command-04", "the end by a signal is told", unix, func(t *T) {
			e := t.Start("die", "15").Wait()
			t.Want(e.Code == 128+15, "the status is %d instead of %d", e.Code, 128+15)
		}),
		duty("command-05", "the end by a kill is told", unix, func(t *T) {
			e := t.Start("die", "9").Wait()
			t.Want(e.Code == 128+9, "the status is %d instead of %d", e.Code, 128+9)
		}),
		duty("command-06", "a signal to what runs the sandbox reaches the command", unix, func(t *T) {
			h := t.Start("trap")
			h.Line()
			t.must(h.process.Signal(syscall.SIGTERM))
			said := h.Line()
			e := h.Wait()
			t.Want(said == syscall.SIGTERM.String() && e.Code == 7, "the command saw %q and ended with %d", said, e.Code)
		}),
		duty("command-07", "arguments arrive as they are", nil, arguments("", " ", "a b", `"`, `'`, `\`, "$(id)", "`id`", "*", "--", "-x", "--help", "ünïcödé")),
		duty("command-08", "arguments with line breaks arrive", unix, arguments("a\nb", "\t", "\x01", strings.Repeat("long", 5000))),
		duty("command-09", "thousands of arguments arrive", unix, func(t *T) {
			var args []string
			for i := range 5000 {
				args = append(args, fmt.Sprintf("argument-%d", i))
			}
			arguments(args...)(t)
		}),
		duty("command-10", "an argument that looks like an option of the sandbox is the command's", nil, arguments("--net", "online", "--bind", "/", "/", "--write", "/", "-c", "id")),
		duty("command-11", "the command starts in the workspace", nil, func(t *T) {
			r := t.Do(act.Request{Op: "hello"})
			real, err := filepath.EvalSymlinks(string(r.Data))
			t.Want(err == nil && real == t.Spec.Workspace, "it starts in %s", r.Data)
		}),
		duty("command-12", "ordinary variables reach the command", nil, func(t *T) {
			t.Spec.Environ = environ("", "BAIT_COLOUR=blue green", "LANG=C.UTF-8")
			got := t.Do(act.Request{Op: "environ"}).List
			t.Want(hasVariable(got, "BAIT_COLOUR", "blue green"), "a variable without any secret is missing")
			t.Want(hasVariable(got, "LANG", "C.UTF-8"), "LANG is missing")
			t.Want(hasVariable(got, "PATH", os.Getenv("PATH")), "PATH is not the caller's")
			t.Want(hasVariable(got, "HOME", os.Getenv("HOME")), "HOME is not the caller's")
		}),
		duty("command-13", "children run, with input, output and status", nil, func(t *T) {
			r := t.Do(act.Request{Op: "run", Path: t.run.helper[0], Args: append(slices.Clone(t.run.helper[1:]), "cat"), Data: "through"})
			t.Want(string(r.Data) == "through", "the child printed %q", oneLine(string(r.Data)))
			r = t.Do(act.Request{Op: "run", Path: t.run.helper[0], Args: append(slices.Clone(t.run.helper[1:]), "exit", "3")})
			t.Want(r.Num == 3, "the child's status is %d instead of 3", r.Num)
		}),
		duty("command-14", "many children run at once", nil, func(t *T) {
			r := t.Do(act.Request{Op: "many", Num: 30})
			t.Want(r.Num == 30, "%d of 30 children ran: %s", r.Num, r.Said())
		}),
		duty("command-15", "a command can signal its own children", nil, func(t *T) {
			path := t.In("beat")
			r := t.Do(act.Request{Op: "leave", Path: path})
			t.awaitBeat(path)
			k := t.Do(act.Request{Op: "kill", PID: int(r.Num)})
			t.Want(k.OK(), "the signal: %s", k.Said())
			t.Want(!t.goesOn(path), "the child goes on")
		}),
		duty("command-16", "a command can trace its own children", []Need{NeedLinux}, func(t *T) {
			path := t.In("beat")
			r := t.Do(act.Request{Op: "leave", Path: path})
			t.awaitBeat(path)
			k := t.Do(act.Request{Op: "trace", PID: int(r.Num)})
			if t.Bare() && !k.OK() {
				t.Skip("the host does not let a child be traced: %s", k.Said())
			}
			t.Want(k.OK(), "debuggers do not work: %s", k.Said())
		}),
		duty("command-17", "a command that does not exist is told apart", nil, func(t *T) {
			t.Open()
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			t.must(err)
			defer null.Close()
			p, err := t.sb.Start(t.ctx, Command{Args: []string{t.In("nothing-here")}, Stdin: null, Stdout: null, Stderr: null})
			if err != nil {
				t.Want(true, "")
				return
			}
			e, err := p.Wait()
			t.must(err)
			t.Want(e.Code != 0, "its absence was reported as success")
		}),
	}
}

func lifecycleDuties() []Case {
	duty := func(id, title string, run func(*T)) Case {
		return Case{ID: id, Title: title, Clause: "duties", Requirement: Must, Needs: []Need{NeedMany},
			Meaning: "An agent cannot use one sandbox for a whole task: servers and files of one command are lost for the next.", run: run}
	}
	return []Case{
		duty("open-01", "fifty commands run one after another", func(t *T) {
			for i := range 50 {
				e := t.Start("exit", strconv.Itoa(i)).Wait()
				t.Want(e.Code == i, "command %d ended with %d", i, e.Code)
			}
		}),
		duty("open-02", "twelve commands run side by side", func(t *T) {
			var all []*Inside
			for range 12 {
				all = append(all, t.Start("serve"))
			}
			// Each has streams of its own; their process ids may be equal, where
			// each command has a namespace of them.
			answered := 0
			for _, h := range all {
				if h.Do(act.Request{Op: "hello"}).OK() {
					answered++
				}
			}
			t.Want(answered == len(all), "%d of %d commands answered", answered, len(all))
		}),
		duty("open-03", "what one command writes in /tmp the next one reads", func(t *T) {
			h := t.Start("serve")
			dir := os.TempDir() // the caller's, of which there may be nothing inside
			for _, v := range h.Do(act.Request{Op: "environ"}).List {
				if d, ok := strings.CutPrefix(v, "TMPDIR="); ok {
					dir = d
				}
			}
			path := filepath.Join(dir, "caisson-bait-"+t.Secret())
			t.Cleanup(func() { os.Remove(path) })
			h.Do(act.Request{Op: "write", Path: path, Data: "content"})
			h.Wait()
			got := t.Start("serve").Do(act.Request{Op: "read", Path: path})
			t.Want(string(got.Data) == "content", "it read %q: %s", got.Data, got.Said())
		}),
		duty("open-04", "a server of one command is reached by the next", func(t *T) {
			t.needLoopback()
			secret := t.Secret()
			addr := string(t.Start("serve").Do(act.Request{Op: "listen", Net: "tcp4", Addr: "127.0.0.1:0", Data: secret}).Data)
			got := t.Start("serve").Do(act.Request{Op: "dial", Net: "tcp4", Addr: addr, Data: "x"})
			t.Want(tells(got, secret), "the server was not reached: %s", got.Said())
		}),
		duty("open-05", "one command can signal another", func(t *T) {
			h := t.Start("serve")
			pid := h.Do(act.Request{Op: "hello"}).Num
			r := t.Start("serve").Do(act.Request{Op: "kill", PID: int(pid)})
			t.Want(r.OK(), "the signal: %s", r.Said())
			_, err := h.Try(act.Request{Op: "hello"})
			t.Want(err != nil, "the command goes on")
		}),
		duty("open-06", "the end of one command leaves the others alone", func(t *T) {
			stays, goes := t.Start("serve"), t.Start("serve")
			stays.Do(act.Request{Op: "hello"})
			goes.process.Kill()
			goes.wait()
			t.Want(stays.Do(act.Request{Op: "hello"}).OK(), "the other command is gone")
		}),
		duty("open-07", "closing ends the commands that run", func(t *T) {
			if t.Bare() {
				t.Want(true, "")
				return
			}
			h := t.Start("wait")
			h.Line()
			sb := t.sb
			ended := make(chan struct{})
			go func() { h.wait(); close(ended) }()
			err := sb.Close()
			select {
			case <-ended:
				t.Want(err == nil, "closing failed: %v", err)
			case <-time.After(3 * time.Second):
				t.Want(false, "the command goes on")
			}
		}),
	}
}
