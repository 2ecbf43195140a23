// SPDX-License-Identifier: Apache-2.0

package spawn

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// TestMain makes this program its own helper: with a role in the environment
// it does one thing and ends.
func TestMain(m *testing.M) {
	switch os.Getenv("CAISSON_TEST_ROLE") {
	case "":
		os.Exit(m.Run())
	case "tell":
		dir, _ := os.Getwd()
		_ = json.NewEncoder(os.Stdout).Encode(told{Args: os.Args[1:], Env: os.Environ(), Dir: dir})
	case "copy":
		_, _ = io.Copy(os.Stdout, os.Stdin)
		fmt.Fprint(os.Stderr, "end")
	case "exit":
		code, _ := strconv.Atoi(os.Args[1])
		os.Exit(code)
	case "handle":
		n, _ := strconv.Atoi(os.Args[1])
		var info windows.ByHandleFileInformation
		if windows.GetFileInformationByHandle(windows.Handle(n), &info) == nil {
			os.Exit(1)
		}
	case "sleep":
		_ = os.WriteFile(os.Args[1], nil, 0o600)
		time.Sleep(time.Minute)
		_ = os.WriteFile(os.Args[1]+".late", nil, 0o600)
	case "parent":
		job, err := NewJob(Limits{UI: 0xff})
		if err == nil {
			_, err = job.Start(Command{Path: self(), Args: []string{"x", os.Args[1]}, Env: role("sleep"), Dir: `C:\`})
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		time.Sleep(time.Minute)
	}
}

type told struct {
	Args, Env []string
	Dir       string
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err) // in a test
	}
	return path
}

func role(name string) []string {
	return append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CAISSON_TEST_ROLE=") }), "CAISSON_TEST_ROLE="+name)
}

// run runs a command and gives its output and status.
func run(t *testing.T, c Command, input []byte) (stdout, stderr []byte, code uint32) {
	t.Helper()
	job, err := NewJob(Limits{UI: 0xff})
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Std = [3]windows.Handle{windows.Handle(inR.Fd()), windows.Handle(outW.Fd()), windows.Handle(errW.Fd())}
	p, err := job.Start(c)
	for _, f := range []*os.File{inR, outW, errW} {
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	go func() {
		_, _ = inW.Write(input)
		inW.Close()
	}()
	errs := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(errR)
		errs <- b
	}()
	stdout, err = io.ReadAll(outR)
	if err != nil {
		t.Fatal(err)
	}
	stderr = <-errs
	if code, err = p.Wait(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	return stdout, stderr, code
}

func TestArguments(t *testing.T) {
	for _, a := range traps() {
		args := []string{"x", a, "end"}
		out, _, code := run(t, Command{Path: self(), Args: args, Env: role("tell"), Dir: `C:\`}, nil)
		var got told
		if err := json.Unmarshal(out, &got); err != nil || code != 0 {
			t.Fatalf("%q: %s, %v, status %d", a, out, err, code)
		}
		if !slices.Equal(got.Args, args[1:]) {
			t.Errorf("%q arrives as %q", args[1:], got.Args)
		}
	}
}

func TestEnvironmentAndDirectory(t *testing.T) {
	dir := tempDir(t)
	env := append(role("tell"), "CAISSON_A=ä b", "caisson_b=", "CAISSON_C=1=2")
	out, _, _ := run(t, Command{Path: self(), Args: []string{"x"}, Env: env, Dir: dir}, nil)
	var got told
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	for _, want := range []string{"CAISSON_A=ä b", "caisson_b=", "CAISSON_C=1=2"} {
		if !slices.Contains(got.Env, want) {
			t.Errorf("the environment lacks %q: %q", want, got.Env)
		}
	}
	if !strings.EqualFold(filepath.Clean(got.Dir), filepath.Clean(dir)) {
		t.Errorf("directory %s, want %s", got.Dir, dir)
	}
}

func TestStreams(t *testing.T) {
	all := make([]byte, 0, 1<<20)
	for i := range 1 << 20 {
		all = append(all, byte(i*7+i>>8))
	}
	out, errs, code := run(t, Command{Path: self(), Args: []string{"x"}, Env: role("copy"), Dir: `C:\`}, all)
	if !bytes.Equal(out, all) || string(errs) != "end" || code != 0 {
		t.Errorf("%d bytes of %d came back, stderr %q, status %d", len(out), len(all), errs, code)
	}
}

func TestStatus(t *testing.T) {
	for _, want := range []uint32{0, 1, 3, 255, 256, 70000} {
		if _, _, code := run(t, Command{Path: self(), Args: []string{"x", fmt.Sprint(want)}, Env: role("exit"), Dir: `C:\`}, nil); code != want {
			t.Errorf("status %d, want %d", code, want)
		}
	}
}

// TestHandles opens a file that can be inherited; the command does not get it.
func TestHandles(t *testing.T) {
	f, err := os.Create(filepath.Join(tempDir(t), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := windows.SetHandleInformation(windows.Handle(f.Fd()), windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		t.Fatal(err)
	}
	if _, _, code := run(t, Command{Path: self(), Args: []string{"x", fmt.Sprint(f.Fd())}, Env: role("handle"), Dir: `C:\`}, nil); code != 0 {
		t.Error("the command has a handle that was not named")
	}
}

// tempDir is t.TempDir for systems, such as Wine, without the call by which
// os.RemoveAll deletes.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "spawn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		for _, name := range append(entryPaths(dir, entries), dir) {
			p, err := windows.UTF16PtrFromString(name)
			if err != nil {
				t.Error(err)
			}
			if windows.DeleteFile(p) != nil {
				if err := windows.RemoveDirectory(p); err != nil {
					t.Errorf("remove %s: %v", name, err)
				}
			}
		}
	})
	return dir
}

func entryPaths(dir string, entries []os.DirEntry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, filepath.Join(dir, e.Name()))
	}
	return list
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	for range 300 {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not appear", path)
}

func TestTimeout(t *testing.T) {
	mark := filepath.Join(tempDir(t), "mark")
	job, err := NewJob(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	p, err := job.Start(Command{Path: self(), Args: []string{"x", mark}, Env: role("sleep"), Dir: `C:\`})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	waitFor(t, mark)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if code, err := p.Wait(ctx, job); code != ExitTimedOut || err != context.Canceled {
		t.Errorf("status %d, %v", code, err)
	}
}

// TestOwnerDies kills the owner of a job; what runs in the job goes with it.
func TestOwnerDies(t *testing.T) {
	mark := filepath.Join(tempDir(t), "mark")
	outer, err := NewJob(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	p, err := outer.Start(Command{Path: self(), Args: []string{"x", mark}, Env: role("parent"), Dir: `C:\`})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	waitFor(t, mark)
	if n := count(t); n < 3 {
		t.Fatalf("%d processes of this program are seen, so the test shows nothing", n)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	// The sleeper holds its mark open no more, and another process may not be
	// found by its mark: so look for it in the list of processes.
	for range 200 {
		if n := count(t); n <= 1 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d processes of this program are left", count(t))
}

// count gives the number of processes that run this program.
func count(t *testing.T) int {
	t.Helper()
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(snapshot)
	n, base := 0, filepath.Base(self())
	entry := windows.ProcessEntry32{Size: 568}
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		if strings.EqualFold(windows.UTF16ToString(entry.ExeFile[:]), base) {
			n++
		}
	}
	return n
}

// TestBatch runs a batch file with arguments that would leave their marks.
func TestBatch(t *testing.T) {
	dir := tempDir(t)
	script := filepath.Join(dir, "show it.bat")
	if err := os.WriteFile(script, []byte("@echo off\r\necho [%1]\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"plain", "a b", "& echo calc", "a|b", "^x", "(y)"} {
		out, _, code := run(t, Command{Path: script, Args: []string{"x", a}, Env: role(""), Dir: dir}, nil)
		if got := strings.TrimSpace(string(out)); got != `["`+a+`"]` || code != 0 {
			t.Errorf("%q arrives as %q, status %d", a, got, code)
		}
	}
}
