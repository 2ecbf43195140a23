// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// internet is what a sandbox with a list can reach in these tests: a proxy of
// the host's, as companies have one, behind which every name below example is
// one server with TLS. It keeps which names it was asked for.
type internet struct {
	proxy string // URL
	ca    string // file of the authority
	files map[string][]byte

	mu    sync.Mutex
	asked []string
}

// newInternet starts the servers on a loopback of one family.
func newInternet(t *testing.T, address, dir string) *internet {
	t.Helper()
	n := &internet{ca: filepath.Join(dir, "ca.pem"), files: map[string][]byte{"/file": []byte("content\n")}}
	cert := n.authority(t)
	inner, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Skip(err)
	}
	outer, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	n.proxy = "http://" + outer.Addr().String()
	site := &http.Server{Handler: http.HandlerFunc(n.site)}
	way := &http.Server{Handler: n.way(inner.Addr().String())}
	go func() { _ = site.Serve(inner) }()
	go func() { _ = way.Serve(outer) }()
	t.Cleanup(func() { site.Close(); way.Close() })
	return n
}

// authority makes a certificate for all names below example, and its authority.
func (n *internet) authority(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		DNSNames: []string{"allowed.example", "also.example", "other.example", "denied.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// way is the proxy of the host's.
func (n *internet) way(to string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.asked = append(n.asked, r.Host)
		n.mu.Unlock()
		if r.Method != http.MethodConnect {
			http.Error(rw, "plain", http.StatusForbidden)
			return
		}
		server, err := net.Dial("tcp", to)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		c, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			server.Close()
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(server, c); server.Close() }()
		_, _ = io.Copy(c, server)
		c.Close()
	})
}

// site answers with the files, and from /to/HOST/PATH leads to another host.
func (n *internet) site(rw http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/to/"); ok {
		http.Redirect(rw, r, "https://"+rest, http.StatusFound)
		return
	}
	if data, ok := n.files[r.URL.Path]; ok {
		if strings.HasPrefix(r.URL.Path, "/simple/") {
			rw.Header().Set("Content-Type", "text/html")
		}
		_, _ = rw.Write(data)
		return
	}
	http.NotFound(rw, r)
}

// names returns the names that were asked for since the last call.
func (n *internet) names() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	seen := map[string]bool{}
	var list []string
	for _, host := range n.asked {
		if !seen[host] {
			seen[host] = true
			list = append(list, host)
		}
	}
	n.asked = nil
	return strings.Join(list, " ")
}

// addPackages puts a package of each manager, and a repository, on the server.
func (n *internet) addPackages(t *testing.T) {
	t.Helper()
	tgz := npmPackage(t, map[string]string{"package.json": `{"name":"small","version":"1.0.0"}`, "index.js": "module.exports = 42\n"})
	sum := sha1.Sum(tgz)
	n.files["/npm/small/-/small-1.0.0.tgz"] = tgz
	for _, host := range []string{"allowed.example", "other.example"} {
		n.files["/npm/"+strings.TrimSuffix(host, ".example")+"-small"] = fmt.Appendf(nil, `{"name":"%s-small","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"%s-small","version":"1.0.0","dist":{"tarball":"https://%s/npm/small/-/small-1.0.0.tgz","shasum":"%s"}}}}`,
			strings.TrimSuffix(host, ".example"), strings.TrimSuffix(host, ".example"), host, hex.EncodeToString(sum[:]))
		n.files["/simple/"+strings.TrimSuffix(host, ".example")+"-small/"] = fmt.Appendf(nil, `<a href="https://%s/wheel/%s_small-1.0-py3-none-any.whl">x</a>`, host, strings.TrimSuffix(host, ".example"))
		name := strings.TrimSuffix(host, ".example") + "_small"
		n.files["/wheel/"+name+"-1.0-py3-none-any.whl"] = zipped(t, map[string]string{
			name + ".py":                     "answer = 42\n",
			name + "-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n",
			name + "-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
			name + "-1.0.dist-info/RECORD":   name + ".py,,\n" + name + "-1.0.dist-info/METADATA,,\n" + name + "-1.0.dist-info/WHEEL,,\n" + name + "-1.0.dist-info/RECORD,,\n",
		})
	}
	const module = "allowed.example/small"
	n.files["/go/"+module+"/@v/list"] = []byte("v1.0.0\n")
	n.files["/go/"+module+"/@v/v1.0.0.info"] = []byte(`{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}`)
	n.files["/go/"+module+"/@v/v1.0.0.mod"] = []byte("module " + module + "\n")
	n.files["/go/"+module+"/@v/v1.0.0.zip"] = zipped(t, map[string]string{module + "@v1.0.0/go.mod": "module " + module + "\n", module + "@v1.0.0/small.go": "package small\n"})
}

// npmPackage packs files as npm has them.
func npmPackage(t *testing.T, files map[string]string) []byte {
	t.Helper()
	below := map[string]string{}
	for name, text := range files {
		below["package/"+name] = text
	}
	return packed(t, below)
}

// packed packs files into an archive of tar and gzip.
func packed(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var tgz bytes.Buffer
	gz := gzip.NewWriter(&tgz)
	tw := tar.NewWriter(gz)
	for name, text := range files {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(tw, text)
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return tgz.Bytes()
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for name, text := range files {
		w, err := zw.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// addRepository puts a git repository on the server, as files.
func (n *internet) addRepository(t *testing.T, dir string) {
	t.Helper()
	for _, step := range [][]string{
		{"git", "init", "-q", dir + "/r"}, {"git", "-C", dir + "/r", "commit", "-q", "--allow-empty", "-m", "first"},
		{"git", "clone", "-q", "--bare", dir + "/r", dir + "/r.git"}, {"git", "-C", dir + "/r.git", "update-server-info"},
	} {
		if out, err := shared.command(step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", step, err, out)
		}
	}
	err := filepath.WalkDir(dir+"/r.git", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		n.files["/r.git"+strings.TrimPrefix(name, dir+"/r.git")] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
