// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// blockers is how many sockets are connected at once.
const blockers = 4

// block has connects that others make for it wait for a listener of its own that
// never accepts: it makes sockets blocking whenever somebody made them otherwise.
// As a control it is both, and prints when a connect that should not block does.
func block(name string, control bool) error {
	at := &unix.SockaddrUnix{Name: strings.Replace(name, "@", "\x00", 1)}
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		err = unix.Bind(listener, at)
	}
	if err == nil {
		err = unix.Listen(listener, 0)
	}
	if err != nil {
		return err
	}
	var began [blockers]atomic.Int64 // when a connect did that is under way
	for i := range blockers {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		go func() {
			for {
				_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0)
			}
		}()
		go func() {
			for {
				if control {
					_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK)
				}
				began[i].Store(time.Now().UnixNano())
				err := unix.Connect(fd, at)
				began[i].Store(0)
				if !errors.Is(err, unix.EAGAIN) {
					return // the one that the backlog has room for
				}
			}
		}()
	}
	for {
		time.Sleep(100 * time.Millisecond)
		for i := range began {
			if at := began[i].Load(); control && at != 0 && time.Since(time.Unix(0, at)) > time.Second {
				fmt.Println("blocked")
				return nil
			}
		}
	}
}

// TestBlockedConnect: what ends commands does not wait for what they let wait.
func TestBlockedConnect(t *testing.T) {
	for kind, name := range map[string]string{"path": "socket", "abstract": "@" + token("caisson")} {
		t.Run(kind, func(t *testing.T) {
			work := filepath.Join(t.TempDir(), "work")
			if err := os.Mkdir(work, 0o755); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			control := exec.CommandContext(ctx, here.binary)
			control.Args, control.Dir = []string{attackerName, "block", name, "control"}, t.TempDir()
			if out, err := control.Output(); err != nil || !strings.Contains(string(out), "blocked") {
				t.Fatalf("the control blocks nothing: %q %v", out, err)
			}
			p := policy.Standard(work)
			p.AllowWeaker = append(p.AllowWeaker, guarantee.WriteProtected, guarantee.IPCConfined, guarantee.DeviceDenied)
			sb, err := sandbox.Open(context.Background(), p, &sandbox.Options{Prefer: "linux/landlock"})
			if err != nil {
				t.Skip(err)
			}
			ended := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				defer cancel()
				cmd := sb.Command(ctx, here.binary)
				cmd.Args, cmd.Dir = []string{attackerName, "block", name}, work
				_ = cmd.Run() // it is killed
				ended <- sb.Close()
			}()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the sandbox never ends")
			}
		})
	}
}
