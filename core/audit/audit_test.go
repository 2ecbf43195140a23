// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func nowhere(string) string { return "" }

// place returns the path of a log and a state directory.
func place(t *testing.T) (path, state string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "state")
}

func opened(t *testing.T, path, state string) *Log {
	t.Helper()
	l, err := Open(path, state, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func record(name string) Record {
	return Record{Time: "2020-01-01T00:00:00Z", Event: Start, Run: Token(), Command: NewCommand([]string{name}), Workspace: []string{"/w"}, Claims: []string{}, Weakened: []string{}}
}

func written(t *testing.T, path string, n int) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Verify(bytes.NewReader(text), "")
	if err != nil || report.Records != n {
		t.Fatalf("%+v, %v\n%s", report, err, text)
	}
	return text
}

// TestChain: whatever is done to a log, Verify notices, and says where.
func TestChain(t *testing.T) {
	t.Parallel()
	path, state := place(t)
	l := opened(t, path, state)
	for i := range 5 {
		r := record(fmt.Sprint("c", i))
		if i == 3 {
			r.Event, r.Result, r.Denials = End, &Result{Started: true, Code: 1}, []map[string]any{{"target": "/x<y>&z\u202e", "n": 1.5}}
		}
		if err := l.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	text := written(t, path, 5)
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	list := bytes.SplitAfter(text, []byte("\n"))[:5]
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, broken := range map[string][]byte{
		"line 3": join(list[0], list[1], bytes.Replace(list[2], []byte(`"c2"`), []byte(`"cX"`), 1), list[3], list[4]),
		"line 2": join(list[0], list[2], list[3], list[4]),
		"line 1": join(list[1], list[2]),
		"line 4": join(list[0], list[2-1], list[2], list[2], list[3]),
		"twice ": join(list[0], list[1], list[1]),
		"swap":   join(list[0], list[2], list[1], list[3], list[4]),
		"empty":  join(list[0], []byte("\n"), list[1]),
		"spaces": join(list[0], bytes.Replace(list[1], []byte(`"seq":2`), []byte(`"seq": 2`), 1), list[2]),
		"twin":   join(list[0], bytes.Replace(list[1], []byte(`"seq":2`), []byte(`"seq":2,"seq":2`), 1), list[2]),
		"more":   join(list[0], bytes.Replace(list[1], []byte("}\n"), []byte(`,"x":1}`+"\n"), 1), list[2]),
		"noise":  join([]byte("hello\n"), list[0]),
	} {
		_, err := Verify(bytes.NewReader(broken), "")
		if err == nil || strings.HasPrefix(name, "line") && name != "line 3" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The end can be cut off without a trace, but for a hash that was noted.
	report, _ := Verify(bytes.NewReader(text), "")
	if _, err := Verify(bytes.NewReader(join(list[:4]...)), ""); err != nil {
		t.Error(err)
	}
	if _, err := Verify(bytes.NewReader(join(list[:4]...)), report.Head); err == nil {
		t.Error("the end was cut off and the hash of the last record found")
	}
	if got, err := Verify(bytes.NewReader(text), hashOf(bytes.TrimSuffix(list[2], []byte("\n")))); err != nil || !got.Found {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTorn: a process that was killed in the middle of a write leaves what can
// be gone on from, and is seen.
func TestTorn(t *testing.T) {
	t.Parallel()
	path, state := place(t)
	l := opened(t, path, state)
	for _, name := range []string{"a", "b"} {
		if err := l.Append(record(name)); err != nil {
			t.Fatal(err)
		}
	}
	whole := written(t, path, 2)
	second := bytes.IndexByte(whole, '\n') + 1
	for _, at := range []int{second + 1, second + 20, len(whole) - 1, 5} {
		if err := os.WriteFile(path, whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := opened(t, path, state).Append(record("c")); err != nil {
				t.Fatalf("cut at %d: %v", at, err)
			}
		}
		want := 3
		if at == len(whole)-1 {
			want = 4
		} else if at < second {
			want = 2
		}
		text := written(t, path, want)
		report, _ := Verify(bytes.NewReader(text), "")
		if torn := map[bool]int{true: 0, false: 1}[want == 4]; report.Torn != torn {
			t.Errorf("cut at %d: %+v", at, report)
		}
		if want == 4 {
			continue
		}
		// Half a record that nobody answers for is one that was made later.
		if _, err := Verify(bytes.NewReader(bytes.Replace(text, []byte(`"after_torn":true,`), nil, 1)), ""); err == nil {
			t.Errorf("cut at %d: the mark can be taken off", at)
		}
	}
}

// TestWriters: many writers, each with the file open for itself, make one chain.
func TestWriters(t *testing.T) {
	t.Parallel()
	path, state := place(t)
	const writers, each = 8, 25
	var all sync.WaitGroup
	for w := range writers {
		l := opened(t, path, state)
		all.Go(func() {
			for i := range each {
				if err := l.Append(record(fmt.Sprint(w, "-", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	written(t, path, writers*each)
}

// TestOpenRefuses: what is no file of the caller's own is not written to.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	path, state := place(t)
	dir := filepath.Dir(path)
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(in("foreign"), []byte("my diary\n"), 0o600), os.WriteFile(in("open"), nil, 0o644), os.Mkdir(in("dir"), 0o700),
		os.WriteFile(in("target"), nil, 0o600), os.Symlink("target", in("link")), os.Symlink(dir, in("way")), os.WriteFile(in("half"), []byte("my dia"), 0o600),
		os.WriteFile(in("long"), bytes.Repeat([]byte("x"), MaxLine+10), 0o600),
		os.WriteFile(in("twice"), nil, 0o600), os.Link(in("twice"), in("twin")),
	} {
		if err != nil {
			t.Skip(err)
		}
	}
	for name, part := range map[string]string{
		"foreign": "no record", "dir": "", "link": "", "half": "no record", "long": "", "missing/file": "", "": "",
	} {
		if l, err := Open(in(name), state, nowhere); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	if runtime.GOOS != "windows" {
		for name, part := range map[string]string{"open": "chmod 600", "twice": "second name", "/dev/null": "regular"} {
			if !filepath.IsAbs(name) {
				name = in(name)
			}
			if l, err := Open(name, state, nowhere); err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, %v", name, l, err)
			}
		}
	}
	inside := func(path string) string {
		if strings.HasPrefix(path, dir) {
			return dir
		}
		return ""
	}
	for _, name := range []string{"new", "way/new"} {
		if _, err := Open(in(name), state, inside); err == nil || !strings.Contains(err.Error(), "the command may write") {
			t.Errorf("%s: %v", name, err)
		}
	}
	opened(t, in("way/new"), state) // the control
}

// TestReplaced: records do not go where nobody looks for them.
func TestReplaced(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(path string) error{
		"removed":  os.Remove,
		"moved":    func(path string) error { return os.Rename(path, path+".old") },
		"replaced": func(path string) error { os.Remove(path); return os.WriteFile(path, nil, 0o600) },
	} {
		path, state := place(t)
		l := opened(t, path, state)
		if err := l.Append(record("a")); err != nil {
			t.Fatal(err)
		}
		if err := replace(path); err != nil {
			t.Skip(err)
		}
		if err := l.Append(record("b")); err == nil {
			t.Errorf("%s: a record was added", name)
		}
	}
}

// TestNoSecrets: of arguments there is a digest, with a salt of its own, and text
// of others cannot add lines or drive a terminal.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	path, state := place(t)
	l := opened(t, path, state)
	args := []string{"/usr/bin/a\x1b[2J\nname", "--password=hunter2"}
	r := record("x")
	r.Command, r.Reason = NewCommand(args), Text("because\n{\"seq\":9}\xff"+strings.Repeat("é", 3000))
	again := NewCommand(args)
	for range 2 {
		if err := l.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	text := written(t, path, 2)
	if bytes.Contains(text, []byte("hunter2")) || bytes.Count(text, []byte("\n")) != 2 || bytes.ContainsAny(text, "\x1b\xff") || len(text) > 8000 {
		t.Errorf("%s", text)
	}
	if again.Digest == r.Command.Digest || !again.Is(args) || !r.Command.Is(args) || again.Is([]string{args[0], args[1], ""}) || again.Is(args[:1]) {
		t.Errorf("%+v, %+v", again, r.Command)
	}
	r.Denials = strings.Repeat("x", MaxLine)
	if err := l.Append(r); err == nil {
		t.Error("a record of any length was added")
	}
	written(t, path, 2)
}

func FuzzVerify(f *testing.F) {
	line := func(seq int64, prev, torn string) string {
		r := record("x")
		r.Seq, r.Schema, r.Prev, r.AfterTorn = seq, Schema, prev, torn != ""
		text, _ := json.Marshal(r)
		return string(text)
	}
	first := line(1, "", "")
	f.Add([]byte(first + "\n" + line(2, hashOf([]byte(first)), "") + "\n"))
	f.Add([]byte(first[:20]))
	f.Add([]byte(first[:20] + "\n" + line(1, hashOf([]byte(first[:20])), "x") + "\n"))
	f.Add([]byte("{}\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		report, err := Verify(bytes.NewReader(text), "")
		n := 0
		if Read(bytes.NewReader(text), func([]byte, Record) error { n++; return nil }) == nil && n < report.Records {
			t.Errorf("%d records hold together and %d are read", report.Records, n)
		}
		if err == nil && report.Records > 0 {
			changed := bytes.Replace(text, []byte(`"schema":1,"seq":1,`), []byte(`"schema":1,"seq":3,`), 1)
			if !bytes.Equal(changed, text) {
				if _, err := Verify(bytes.NewReader(changed), ""); err == nil {
					t.Error("a changed record is not noticed")
				}
			}
		}
		_, _ = Verify(io.LimitReader(bytes.NewReader(text), 10), "")
	})
}
