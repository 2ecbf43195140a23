// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// leave offers what another sandbox must not find, and waits.
func leave(secret string) error {
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev/shm"} {
		if err := os.WriteFile(dir+"/"+secret, []byte(secret), 0o666); err != nil {
			return err
		}
	}
	for _, address := range []string{"127.0.0.1:47114", "@" + secret[:20]} {
		network := "tcp4"
		if address[0] == '@' {
			network = "unix"
		}
		l, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprintln(c, secret)
				c.Close()
			}
		}()
	}
	id, err := unix.SysvShmGet(0x4a1d, 4096, unix.IPC_CREAT|0o666)
	if err != nil {
		return err
	}
	m, err := unix.SysvShmAttach(id, 0, 0)
	if err != nil {
		return err
	}
	copy(m, secret)
	fmt.Println("left")
	time.Sleep(100 * time.Second)
	return nil
}

// search prints all that it finds of what leave offers under a name, and kills
// who offers it. On the host, where it would meet others, it spares them.
func search(name string, spare bool) error {
	var errs []error
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev/shm"} {
		entries, err := os.ReadDir(dir)
		errs = append(errs, err)
		for _, e := range entries {
			fmt.Println(e.Name())
		}
	}
	for _, address := range []string{"127.0.0.1:47114", "@" + name} {
		network := "tcp4"
		if address[0] == '@' {
			network = "unix"
		}
		c, err := net.DialTimeout(network, address, time.Second)
		errs = append(errs, err)
		if err == nil {
			text := make([]byte, 100)
			n, err := c.Read(text)
			errs = append(errs, err)
			fmt.Printf("%s\n", text[:n])
		}
	}
	if id, err := unix.SysvShmGet(0x4a1d, 4096, 0); err != nil {
		errs = append(errs, err)
	} else if m, err := unix.SysvShmAttach(id, 0, unix.SHM_RDONLY); err == nil {
		fmt.Printf("%s\n", m[:100])
	}
	entries, err := os.ReadDir("/proc")
	errs = append(errs, err)
	for _, e := range entries {
		text, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		fmt.Printf("%s %q\n", e.Name(), text)
		if pid, err := strconv.Atoi(e.Name()); err == nil && !spare && strings.Contains(string(text), "\x00leave\x00") {
			errs = append(errs, unix.Kill(pid, unix.SIGKILL))
		}
	}
	return errors.Join(errs...)
}

// TestTwoSandboxes has one sandbox look for what another one offers.
func TestTwoSandboxes(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	one, two := w.open(), other.open()
	// Short names of sockets are cut out of the secret; the rest stays secret.
	name := token("attack")[:20]
	secret := name + token("")
	cmd := one.Command(t.Context(), here.binary)
	cmd.Args = []string{attackerName, "leave", secret}
	cmd.Dir = w.work
	out, err := os.CreateTemp(w.outside, "out")
	w.must(err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	w.must(cmd.Start())
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(out.Name())
		w.must(err)
		if strings.Contains(string(text), "left") {
			break
		}
		if strings.Contains(string(text), "error") || time.Now().After(deadline) {
			t.Fatalf("nothing is offered: %s", text)
		}
	}
	b := bait{args: []string{name}}
	if said := other.inside(two, "search", b); strings.Contains(said, secret) || !acted(said) {
		t.Errorf("one sandbox finds what another one has: %s", said)
	}
	if said := w.plain("search", bait{args: []string{name, "spare"}}); strings.Contains(said, secret+"\n") {
		t.Errorf("the host finds what a sandbox has: %s", said)
	}
	// The control: another command of the same sandbox finds it, four times at
	// least, and ends the process that offers it.
	if said := w.inside(one, "search", b); strings.Count(said, secret) < 5 {
		t.Errorf("the bait is broken: a command of the same sandbox finds too little: %s", said)
	}
	_ = cmd.Wait()
	if cmd.Result().Signal == 0 {
		t.Errorf("the bait is broken: a command of the same sandbox was not killed: %+v", cmd.Result())
	}
}

// race writes through a name that is swapped between a file of its own and one
// outside, until the time is over.
func race(victim, duration string) error {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll("a", 0o755), os.WriteFile("a/victim", nil, 0o644)); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Dir(victim), "b"); err != nil {
		return err
	}
	end := time.Now().Add(d)
	go func() {
		for time.Now().Before(end) {
			_ = unix.Renameat2(unix.AT_FDCWD, "a", unix.AT_FDCWD, "b", unix.RENAME_EXCHANGE)
		}
	}()
	for time.Now().Before(end) {
		_ = writeTo("a/victim", unix.O_WRONLY)
		_ = os.Chmod("a/victim", 0o777)
	}
	return nil
}

func TestRace(t *testing.T) {
	t.Parallel()
	duration := "10s"
	if testing.Short() {
		duration = "1s"
	}
	control, target := newWorld(t), newWorld(t)
	victim := control.file("precious")
	harm := changed(victim)
	said := control.plain("race", bait{args: []string{victim, "500ms"}})
	if harm(said, 0) == "" {
		t.Errorf("the bait is broken: the race is not won without a sandbox: %s", said)
	}
	victim = target.file("precious")
	harm = changed(victim)
	said = target.inside(target.open(), "race", bait{args: []string{victim, duration}})
	if h := harm(said, 0); h != "" || !acted(said) {
		t.Errorf("fs.write.confined is broken: %s (%s)", h, said)
	}
}

// fill writes to /tmp until it cannot.
func fill() error {
	f, err := os.Create("/tmp/fill")
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for range 64 {
		if _, err := f.Write(block); err != nil {
			if errors.Is(err, unix.ENOSPC) {
				fmt.Println("full")
				return nil
			}
			return err
		}
	}
	return errors.New("there is no end")
}

// TestScratchFull fills the temporary directory. The plan's own size may be
// gigabytes; this one is made small.
func TestScratchFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	prepared, err := sandbox.Prepare(context.Background(), w.policy(), nil)
	w.must(err)
	prepared.Plan.Steps = each(func(s plan.Step) plan.Step {
		if c, ok := s.(plan.Scratch); ok {
			c.Bytes = 8 << 20
			return c
		}
		return s
	})(prepared.Plan.Steps)
	sb, err := prepared.Open(context.Background())
	w.must(err)
	defer func() { w.must(sb.Close()) }()
	if said := w.inside(sb, "fill", bait{}); !strings.Contains(said, "full") {
		t.Errorf("writing without end: %s", said)
	}
	if out, err := exec.Command("ls", w.work).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// stop stops every process that it can, over and over.
func stop() error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
				_ = unix.Kill(pid, unix.SIGSTOP)
				_ = os.WriteFile(procFile(pid, "oom_score_adj"), []byte("777"), 0)
				_ = dump(pid, readFile("mem"))
			}
		}
	}
	return nil
}

// TestStoppedCommands starts commands beside one that attacks every other
// while it comes into being. Commands may come to nothing then; the caller must
// neither be held up for good nor be harmed.
func TestStoppedCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sb := w.open()
	secret := token("SECRET")
	kept := []byte("CALLER_SECRET=" + secret) // what the attacker looks for in memory
	out, err := os.CreateTemp(w.outside, "out")
	w.must(err)
	defer out.Close()
	hostile := sb.Command(t.Context(), here.binary)
	hostile.Args = []string{attackerName, "stop"}
	hostile.Stdout = out
	w.must(hostile.Start())
	before := ownScore(w)
	done := make(chan struct{})
	started := 0
	go func() {
		defer close(done)
		for sb.Command(context.Background(), "true").Start() == nil {
			started++
		}
	}()
	time.Sleep(2 * time.Second)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		// On a busy machine the attacker comes late.
		if text, err := os.ReadFile(out.Name()); err == nil && acted(string(text)) {
			break
		}
	}
	w.must(sb.Close())
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the caller is held up by a command inside")
	}
	_ = hostile.Wait()
	if after := ownScore(w); after != before {
		t.Errorf("the caller's oom_score_adj was %s and is %s", before, after)
	}
	text, err := os.ReadFile(out.Name())
	w.must(err)
	if strings.Contains(string(text), secret) || !acted(string(text)) {
		t.Errorf("%s was found, or nothing was looked for: %s", kept, text)
	}
	t.Logf("%d commands were started", started)
}

func ownScore(w *world) string {
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	w.must(err)
	return string(text)
}
