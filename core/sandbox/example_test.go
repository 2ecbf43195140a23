// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// project makes a directory for an example, in a home directory: that is
// what agents work in, and commands have a temporary directory of their own.
func project() (dir string, remove func()) {
	home, err := os.UserHomeDir()
	if err != nil {
		log.Fatal(err)
	}
	dir, err = os.MkdirTemp(home, ".caisson-example-")
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

// opened opens a sandbox with the standard policy.
func opened() (sb *sandbox.Sandbox, dir string, end func()) {
	dir, remove := project()
	sb, err := sandbox.Open(context.Background(), policy.Standard(dir), nil)
	if err != nil {
		log.Fatal(err)
	}
	return sb, dir, func() { sb.Close(); remove() }
}

func ExampleOpen() {
	dir, remove := project()
	defer remove()
	ctx := context.Background()

	sb, err := sandbox.Open(ctx, policy.Standard(dir), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()

	cmd := sb.Command(ctx, "sh", "-c", "echo built >result; cat result")
	cmd.Dir = dir
	out, err := cmd.Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// built
	// <nil>
}

func ExampleOpen_refusal() {
	dir, remove := project()
	defer remove()
	ctx := context.Background()

	p := policy.Standard(dir)
	p.Require = []guarantee.ID{guarantee.LimitMemory}
	_, err := sandbox.Open(ctx, p, nil)
	if refusal, ok := errors.AsType[*sandbox.Refusal](err); ok {
		for _, u := range refusal.Unmet {
			fmt.Println(u.ID, "is out of reach; go on without it:", u.Grant.Flags())
		}
	}
	// Output:
	// proc.limit.memory is out of reach; go on without it: --allow-weaker proc.limit.memory
}

func ExamplePrepare() {
	dir, remove := project()
	defer remove()

	prepared, err := sandbox.Prepare(context.Background(), policy.Standard(dir), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(prepared.Backend.Name, prepared.Plan.Claims[guarantee.NetOffline].By)
	fmt.Println("weakened:", prepared.Weakened())
	// Output:
	// linux/namespaces kernel
	// weakened: []
}

func ExamplePrepared_Open() {
	dir, remove := project()
	defer remove()
	ctx := context.Background()

	prepared, err := sandbox.Prepare(ctx, policy.Standard(dir), nil)
	if err != nil {
		log.Fatal(err)
	}
	sb, err := prepared.Open(ctx) // once somebody has looked at prepared.Plan
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Close()
	fmt.Println(sb.Command(ctx, "true").Run())
	// Output: <nil>
}

func ExamplePrepared_Explain() {
	dir, remove := project()
	defer remove()

	prepared, err := sandbox.Prepare(context.Background(), policy.Standard(dir), nil)
	if err != nil {
		log.Fatal(err)
	}
	e, err := prepared.Explain("net:example.org:443")
	fmt.Println(*e.Reach, e.Rule.Access, err)
	// Output: false offline <nil>
}

func ExampleBackends() {
	for _, b := range sandbox.Backends() {
		fmt.Println(b.Info().Name)
	}
	// Output:
	// linux/namespaces
	// linux/landlock
}

func ExampleProbe() {
	for _, c := range sandbox.Probe(context.Background(), sandbox.Backends()) {
		_, held := c.Report.Offers[guarantee.WriteConfined]
		fmt.Println(c.Info.Name, c.Report.Usable, held)
	}
	// Output:
	// linux/namespaces true true
	// linux/landlock true true
}

func ExampleSandbox_Command() {
	sb, dir, end := opened()
	defer end()
	ctx := context.Background()

	// A server of the first command is reached by the second one.
	server := sb.Command(ctx, "sh", "-c", "mkfifo pipe; echo hello >pipe")
	server.Dir = dir
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	client := sb.Command(ctx, "sh", "-c", "until test -p pipe; do sleep 0.01; done; cat pipe")
	client.Dir = dir
	out, err := client.Output()
	fmt.Printf("%s%v\n", out, err)
	fmt.Println(server.Wait())
	// Output:
	// hello
	// <nil>
	// <nil>
}

func ExampleSandbox_Close() {
	sb, _, end := opened()
	defer end()

	cmd := sb.Command(context.Background(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sb.Close())
	fmt.Println(cmd.Wait())
	// Output:
	// <nil>
	// signal: killed
}

func ExampleSandbox_Explain() {
	sb, dir, end := opened()
	defer end()

	inside, err := sb.Explain(filepath.Join(dir, "main.go"))
	fmt.Println(*inside.Read, *inside.Write, err)
	outside, err := sb.Explain("/usr/share/doc")
	// Its Grant says what would allow it, where anything would: who may not write
	// there without a sandbox has none.
	fmt.Println(*outside.Read, *outside.Write, err)
	// Output:
	// true true <nil>
	// true false <nil>
}

func ExampleSandbox_Diagnostics() {
	sb, _, end := opened()
	defer end()

	for _, d := range sb.Diagnostics() {
		if d.Code == "guarantee-weakened" {
			fmt.Println(d.Message)
		}
	}
	// Output:
}

func ExampleCmd_Run() {
	sb, _, end := opened()
	defer end()

	err := sb.Command(context.Background(), "sh", "-c", "exit 3").Run()
	if exit, ok := errors.AsType[*sandbox.ExitError](err); ok {
		fmt.Println(exit.Code, exit)
	}
	// Output: 3 exit status 3
}

func ExampleCmd_Start() {
	sb, _, end := opened()
	defer end()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	cmd := sb.Command(ctx, "sleep", "1000")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cmd.Wait())
	fmt.Println("timed out:", cmd.Result().TimedOut)
	// Output:
	// signal: killed
	// timed out: true
}

func ExampleCmd_Signal() {
	sb, _, end := opened()
	defer end()

	cmd := sb.Command(context.Background(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cmd.Signal(syscall.SIGTERM))
	fmt.Println(cmd.Wait())
	// Output:
	// <nil>
	// signal: terminated
}

func ExampleCmd_StdinPipe() {
	sb, _, end := opened()
	defer end()

	cmd := sb.Command(context.Background(), "tr", "a-z", "A-Z")
	in, err := cmd.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		defer in.Close()
		io.WriteString(in, "hello\n")
	}()
	out, err := cmd.Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// HELLO
	// <nil>
}

func ExampleCmd_StdoutPipe() {
	sb, _, end := opened()
	defer end()

	cmd := sb.Command(context.Background(), "echo", "hello")
	out, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(out)
	fmt.Printf("%s%v\n", text, err)
	fmt.Println(cmd.Wait())
	// Output:
	// hello
	// <nil>
	// <nil>
}

func ExampleCmd_CombinedOutput() {
	sb, _, end := opened()
	defer end()

	out, err := sb.Command(context.Background(), "sh", "-c", "echo out; echo err >&2").CombinedOutput()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// out
	// err
	// <nil>
}

func ExampleCmd_Environ() {
	sb, _, end := opened()
	defer end()

	cmd := sb.Command(context.Background(), "sh", "-c", "echo $GREETING $CAISSON")
	cmd.Env = append(cmd.Environ(), "GREETING=hello")
	out, err := cmd.Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// hello 1
	// <nil>
}

func ExampleCmd_Result() {
	sb, _, end := opened()
	defer end()

	cmd := sb.Command(context.Background(), "no-such-command")
	err := cmd.Run()
	r := cmd.Result()
	fmt.Println(r.Started, r.Diagnostics[len(r.Diagnostics)-1].Code, strings.Contains(err.Error(), "no-such-command"))
	// Output: false command-not-found true
}

func ExampleCmd_String() {
	sb, _, end := opened()
	defer end()

	fmt.Println(sb.Command(context.Background(), "echo", "a b", "\x1b[31m"))
	// Output: echo 'a b' $'\x1b[31m'
}
