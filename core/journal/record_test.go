// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	for _, r := range []Record{
		{Path: "/w/.claude", Kind: KindDir},
		{Path: "/w/.git/commondir", Kind: KindFile, Content: ".\n"},
		{Path: "/w/a\nkind file\n\xff\"", Kind: KindDir},
	} {
		got, err := Decode(r.Encode())
		if err != nil || got != r {
			t.Errorf("%+v came back as %+v, %v", r, got, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := string(Record{Path: "/w/x", Kind: KindDir}.Encode())
	for name, text := range map[string]string{
		"empty":         "",
		"cut short":     good[:len(good)-1],
		"trailing":      good + "\n",
		"version":       strings.Replace(good, "1", "2", 1),
		"relative":      strings.Replace(good, "/w/x", "w/x", 1),
		"root":          strings.Replace(good, "/w/x", "/", 1),
		"dots":          strings.Replace(good, "/w/x", "/w/../x", 1),
		"NUL":           strings.Replace(good, "/w/x", `/w\x00`, 1),
		"other quoting": strings.Replace(good, "/w/x", `/w/\x78`, 1),
		"raw quotes":    strings.Replace(good, `"/w/x"`, "`/w/x`", 1),
		"kind":          strings.Replace(good, "kind dir", "kind link", 1),
		"dir content":   strings.Replace(good, `content ""`, `content "x"`, 1),
		"order":         strings.Replace(good, "path \"/w/x\"\nkind dir", "kind dir\npath \"/w/x\"", 1),
		"too long":      strings.Replace(good, "/w/x", "/"+strings.Repeat("x", maxRecord), 1),
	} {
		if text == good {
			t.Fatalf("%s: the text is not changed", name)
		}
		if r, err := Decode([]byte(text)); err == nil {
			t.Errorf("%s: decoded as %+v", name, r)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for _, i := range []Identity{{}, {Dev: 1, Ino: 2, Born: 3}, {Dev: 1<<64 - 1, Ino: 1 << 63, Born: -1}} {
		if got, ok := ParseName(i.Name()); !ok || got != i {
			t.Errorf("%+v came back as %+v, %v", i, got, ok)
		}
	}
	for _, name := range []string{"", Pending, lockName, "held-1-2-3", Identity{}.Name() + "x", "held-+000000000000001-0000000000000001-0000000000000001",
		strings.ToUpper(Identity{Ino: 10}.Name())} {
		if i, ok := ParseName(name); ok {
			t.Errorf("%q was read as %+v", name, i)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Record{Path: "/w/.claude", Kind: KindDir}.Encode())
	f.Add(Record{Path: "/w/.git/commondir", Kind: KindFile, Content: "."}.Encode())
	f.Add([]byte(header))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Encode(), b) {
			t.Errorf("%q decodes as %+v, which encodes differently", b, r)
		}
		if !strings.HasPrefix(r.Path, "/") || strings.Contains(r.Path, "/../") {
			t.Errorf("path %q", r.Path)
		}
	})
}

func FuzzName(f *testing.F) {
	f.Add(Identity{Dev: 1, Ino: 2, Born: 3}.Name())
	f.Fuzz(func(t *testing.T, name string) {
		if i, ok := ParseName(name); ok && i.Name() != name {
			t.Errorf("%q was read as %+v", name, i)
		}
	})
}

func TestWatchedRoundTrip(t *testing.T) {
	t.Parallel()
	for _, w := range []Watched{
		{Since: time.Unix(0, 1)},
		{Since: time.Unix(1700000000, 5), Names: []string{"/w/.envrc", "/w/a\nend\n\xff\""}, Git: []string{"/w/.git"}},
		{Since: time.Unix(0, -1), Names: []string{"/w/x"}, Ended: true},
	} {
		got, err := DecodeWatched(w.Encode())
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Errorf("%+v came back as %+v, %v", w, got, err)
		}
	}
	w := Watched{Since: time.Unix(0, 1), Names: []string{"/w/x"}}
	if got, err := DecodeWatched(append(w.Encode(), Ended...)); err != nil || !got.Ended {
		t.Errorf("with the end noted: %+v, %v", got, err)
	}
}

func TestDecodeWatchedRefuses(t *testing.T) {
	t.Parallel()
	good := string(Watched{Since: time.Unix(0, 5), Names: []string{"/w/x"}, Git: []string{"/w/.git"}}.Encode())
	for name, text := range map[string]string{
		"empty":     "",
		"cut short": good[:len(good)-1],
		"trailing":  good + "x",
		"version":   strings.Replace(good, "watch 1", "watch 2", 1),
		"time":      strings.Replace(good, "since 5", "since x", 1),
		"time form": strings.Replace(good, "since 5", "since +5", 1),
		"relative":  strings.Replace(good, `"/w/x"`, `"w/x"`, 1),
		"root":      strings.Replace(good, `"/w/x"`, `"/"`, 1),
		"dots":      strings.Replace(good, `"/w/x"`, `"/w/../x"`, 1),
		"NUL":       strings.Replace(good, `"/w/x"`, `"/w\x00"`, 1),
		"quotes":    strings.Replace(good, `"/w/x"`, "`/w/x`", 1),
		"unknown":   strings.Replace(good, "name ", "nome ", 1),
		"ended":     strings.Replace(good, "end\n", "ended\nend\n", 1),
	} {
		if text == good {
			t.Fatalf("%s: the text is not changed", name)
		}
		if w, err := DecodeWatched([]byte(text)); err == nil {
			t.Errorf("%s: decoded as %+v", name, w)
		}
	}
}

func FuzzDecodeWatched(f *testing.F) {
	f.Add(Watched{Since: time.Unix(0, 5), Names: []string{"/w/x"}, Git: []string{"/w/.git"}, Ended: true}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := DecodeWatched(b)
		if err == nil && !bytes.Equal(w.Encode(), b) {
			t.Errorf("%q is not what is written", b)
		}
	})
}
