// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/hostrule"
)

// locked is a proxy that asks for a name and a password.
func locked(t *testing.T) *world {
	return newWorld(t, Config{List: hostrule.List{Allow: rules(t, "a.example", "127.0.0.1")}, User: "caisson", Password: "sesame"})
}

func encoded(login string) string { return base64.StdEncoding.EncodeToString([]byte(login)) }

// TestCredentials: who has the name and password gets what the list allows,
// by CONNECT and plain; who does not gets 407, reaches and resolves nothing and makes
// no event.
func TestCredentials(t *testing.T) {
	t.Parallel()
	right := "Proxy-Authorization: Basic " + encoded("caisson:sesame") + "\r\n"
	for name, c := range map[string]struct {
		fields string
		in     bool
	}{
		"right":                   {right, true},
		"scheme in another case":  {strings.ToLower(right[:26]) + right[26:], true},
		"none":                    {"", false},
		"empty":                   {"Proxy-Authorization: \r\n", false},
		"no text":                 {"Proxy-Authorization: Basic\r\n", false},
		"wrong password":          {"Proxy-Authorization: Basic " + encoded("caisson:sesamf") + "\r\n", false},
		"beginning of it":         {"Proxy-Authorization: Basic " + encoded("caisson:sesam") + "\r\n", false},
		"more than it":            {"Proxy-Authorization: Basic " + encoded("caisson:sesame1") + "\r\n", false},
		"empty password":          {"Proxy-Authorization: Basic " + encoded("caisson:") + "\r\n", false},
		"another name":            {"Proxy-Authorization: Basic " + encoded("root:sesame") + "\r\n", false},
		"no name":                 {"Proxy-Authorization: Basic " + encoded("sesame") + "\r\n", false},
		"another scheme":          {"Proxy-Authorization: Bearer " + encoded("caisson:sesame") + "\r\n", false},
		"not coded":               {"Proxy-Authorization: Basic caisson:sesame\r\n", false},
		"another field":           {"Authorization: Basic " + encoded("caisson:sesame") + "\r\n", false},
		"twice, the second right": {"Proxy-Authorization: Basic " + encoded("caisson:x") + "\r\n" + right, false},
		"twice right":             {right + right, false},
	} {
		w := locked(t)
		port, reached := greeter(t, "tcp4", "127.0.0.1:0")
		var given []string
		plain := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			given = append(given, "asked "+r.Header.Get("Proxy-Authorization"))
		}))
		tunnel := w.raw(fmt.Sprintf("CONNECT a.example:%d HTTP/1.1\r\n%s\r\n", port, c.fields))
		got := w.raw("GET " + plain.URL + "/ HTTP/1.1\r\n" + c.fields + "\r\n")
		w.raw("nonsense\r\n\r\n")
		plain.Close()
		w.proxy.Close()
		if c.in {
			if !strings.HasPrefix(tunnel, "HTTP/1.1 200 ") || !strings.Contains(tunnel, "hello") || !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Errorf("%s: %q and %q", name, tunnel, got)
			}
			if len(given) != 1 || given[0] != "asked " || len(w.decisions()) != 2 {
				t.Errorf("%s: the server was given %q; decisions %+v", name, given, w.decisions())
			}
			continue
		}
		for _, answer := range []string{tunnel, got} {
			if !strings.HasPrefix(answer, "HTTP/1.1 407 ") || !strings.Contains(answer, "\r\nProxy-Authenticate: Basic realm=\"caisson\"\r\n") {
				t.Errorf("%s: %q", name, answer)
			}
		}
		if reached() != 0 || len(given) != 0 || len(w.looked()) != 0 || len(w.decisions()) != 0 {
			t.Errorf("%s: reached %d, asked %q, resolved %q, decided %+v", name, reached(), given, w.looked(), w.decisions())
		}
	}
}

// TestCredentialsOfSOCKS is the same for SOCKS5.
func TestCredentialsOfSOCKS(t *testing.T) {
	t.Parallel()
	login := func(user, password string) string {
		return "\x01" + string(rune(len(user))) + user + string(rune(len(password))) + password
	}
	for name, c := range map[string]struct {
		methods, login string
		said           string // before the answer to the request
		in             bool
	}{
		"right":             {"\x02", login("caisson", "sesame"), "\x05\x02\x01\x00", true},
		"right, of two":     {"\x00\x02", login("caisson", "sesame"), "\x05\x02\x01\x00", true},
		"without":           {"\x00", "", "\x05\xff", false},
		"no method":         {"", "", "\x05\xff", false},
		"wrong password":    {"\x02", login("caisson", "sesamf"), "\x05\x02\x01\x01", false},
		"another name":      {"\x02", login("root", "sesame"), "\x05\x02\x01\x01", false},
		"empty":             {"\x02", login("", ""), "\x05\x02\x01\x01", false},
		"split elsewhere":   {"\x02", login("caisson:ses", "ame"), "\x05\x02\x01\x01", false},
		"another version":   {"\x02", "\x05" + login("caisson", "sesame")[1:], "\x05\x02", false},
		"left out, request": {"\x02", "", "\x05\x02", false},
	} {
		w := locked(t)
		port, reached := greeter(t, "tcp4", "127.0.0.1:0")
		request := "\x05\x01\x00\x01\x7f\x00\x00\x01" + string([]byte{byte(port >> 8), byte(port)})
		got := w.raw("\x05" + string(rune(len(c.methods))) + c.methods + c.login + request)
		w.proxy.Close()
		if c.in {
			if !strings.HasPrefix(got, c.said+"\x05\x00") || !strings.HasSuffix(got, "hello") || reached() != 1 || len(w.decisions()) != 1 {
				t.Errorf("%s: %q, reached %d, decided %+v", name, got, reached(), w.decisions())
			}
			continue
		}
		if !strings.HasPrefix(got, c.said) || len(got) != len(c.said) || reached() != 0 || len(w.decisions()) != 0 {
			t.Errorf("%s: %q, reached %d, decided %+v", name, got, reached(), w.decisions())
		}
	}
}

// TestStrangersAreNotWaitedFor: a client that says nothing ends with the time
// for a request, also between the name and the password.
func TestStrangersAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{User: "caisson", Password: "sesame", Limits: Limits{Request: 50 * time.Millisecond}})
	c := w.dial()
	defer c.Close()
	if _, err := c.Write([]byte("\x05\x01\x02\x01\x07cai")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	n, err := c.Read(b)
	if n != 2 || err != nil {
		t.Fatalf("%q, %v", b[:n], err)
	}
	if n, err := c.Read(b); n != 0 || err == nil {
		t.Errorf("%q, %v", b[:n], err)
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Error("the connection is still open")
	}
}

// FuzzBasic: what is read is what the standard library reads.
func FuzzBasic(f *testing.F) {
	for _, s := range []string{"Basic " + encoded("caisson:sesame"), "bASIC " + encoded("a:b:c"), "Basic", "Basic  eA==", "Bearer eDp5", "Basic " + encoded("x"), "Basic \neDp5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		user, password, ok := basic(value)
		r := http.Request{Header: http.Header{"Authorization": {value}}}
		u, p, want := r.BasicAuth()
		if ok != want || ok && (user != u || password != p) {
			t.Fatalf("%q: %q, %q, %v; want %q, %q, %v", value, user, password, ok, u, p, want)
		}
	})
}
