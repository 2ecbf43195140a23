// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caisson-sandbox/caisson/core/diag"
)

func TestTrust(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.write("a/.caisson.toml", "files.write = ['x']"), s.write("b/.caisson.toml", "")
	for _, f := range []string{a, b, a} {
		if err := Trust(s.TrustFile, f); err != nil {
			t.Fatal(err)
		}
	}
	if runtime.GOOS != "windows" {
		for path, want := range map[string]os.FileMode{s.TrustFile: 0o600, filepath.Dir(s.TrustFile): 0o700 | os.ModeDir} {
			if info, err := os.Stat(path); err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v", path, info, err)
			}
		}
	}
	s.write("b/.caisson.toml", "# changed")
	want := []Trusted{
		{a, hashOf([]byte("version = 1\nfiles.write = ['x']")), true},
		{b, hashOf([]byte("version = 1\n")), false},
	}
	got, err := TrustedFiles(s.TrustFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if was, err := Untrust(s.TrustFile, a); err != nil || was != want {
			t.Errorf("Untrust: %t, %v; want %t", was, err, want)
		}
	}
	if got, err := TrustedFiles(s.TrustFile); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Untrust(s.TrustFile, b); err != nil {
		t.Fatal(err)
	}
	if err := Trust(s.TrustFile, b); err != nil { // into a list that is empty
		t.Fatal(err)
	}
	if names, err := os.ReadDir(filepath.Dir(s.TrustFile)); err != nil || len(names) != 1 {
		t.Errorf("something was left beside the trust file: %v, %v", names, err)
	}
}

func TestTrustIsOfOnePath(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const text = "files.write = ['~/x']"
	if err := Trust(s.TrustFile, s.write("other/.caisson.toml", text)); err != nil {
		t.Fatal(err)
	}
	s.write("ws/.caisson.toml", text) // a copy of it in somebody else's checkout
	s.refuses(diag.PolicyUntrusted, "files.write")
}

func TestTrustRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wantRefusal(t, Trust(s.TrustFile, filepath.Join(s.dir, "none")), diag.PolicyInvalid, "none does not exist")
	wantRefusal(t, Trust(s.TrustFile, s.dir), diag.PolicyInvalid, "is a directory")
	wantRefusal(t, Trust(s.TrustFile, s.write("x", "colour = 1")), diag.PolicyInvalid, "unknown key")
	if _, err := os.Stat(s.TrustFile); err == nil {
		t.Error("a refusal made a trust file")
	}
}

func TestBrokenTrustFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":     {"", "is empty"},
		"truncated": {`{"format":1,"files":{`, "ends too early"},
		"unknown":   {`{"format":1,"file":{}}`, `unknown key "file"; did you mean "files"?`},
		"duplicate": {`{"format":1,"files":{"/a":"1","/a":"2"}}`, "duplicate key"},
		"future":    {`{"format":2,"files":{}}`, "has format 2"},
		"not text":  {`{"format":1,"files":{"/a":1}}`, "must be a string"},
	} {
		s := newSite(t)
		file := s.write("ws/.caisson.toml", "")
		writeFile(t, s.dir, "state/caisson/trust.json", c.text)
		s.refuses(diag.PolicyInvalid, c.want)
		if err := Trust(s.TrustFile, file); err == nil {
			t.Errorf("%s: a broken trust file was written over", name)
		}
	}
}

func TestTrustFileThatOthersWrite(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("access lists decide there")
	}
	s := newSite(t)
	if err := Trust(s.TrustFile, s.write("ws/.caisson.toml", "files.write = ['x']")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.TrustFile, 0o602); err != nil {
		t.Fatal(err)
	}
	s.refuses(diag.PolicyInvalid, "the trust file cannot be believed")
	if err := os.Rename(s.TrustFile, s.TrustFile+".real"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("trust.json.real", s.TrustFile); err != nil {
		t.Fatal(err)
	}
	s.refuses(diag.PolicyInvalid, "trust.json cannot be read")
}
