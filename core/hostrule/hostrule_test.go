// SPDX-License-Identifier: Apache-2.0

package hostrule

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"example.org", "example.org"},
		{"EXAMPLE.Org", "example.org"},
		{"example.org.", "example.org"},
		{"a_b.example.org", "a_b.example.org"},
		{"bücher.example", "xn--bcher-kva.example"},
		{"BÜCHER.example", "xn--bcher-kva.example"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"straße.example", "xn--strae-oqa.example"},
		{"ｅｘａｍｐｌｅ．ｏｒｇ", "example.org"},
		{"example。org", "example.org"},
		{"１２７.0.0.1", "127.0.0.1"},
		{"127.0.0.1", "127.0.0.1"},
		{"127.0.0.1.", "127.0.0.1"},
		{"127.1", "127.0.0.1"},
		{"127.0.1", "127.0.0.1"},
		{"2130706433", "127.0.0.1"},
		{"0x7f000001", "127.0.0.1"},
		{"0X7F.1", "127.0.0.1"},
		{"0177.1", "127.0.0.1"},
		{"0", "0.0.0.0"},
		{"0x", "0.0.0.0"},
		{"[::1]", "::1"},
		{"::1", "::1"},
		{"[::ffff:127.0.0.1]", "127.0.0.1"},
		{"[0:0:0:0:0:ffff:7f00:1]", "127.0.0.1"},
		{"[2001:DB8::1]", "2001:db8::1"},
		{"1.2.3.example", "1.2.3.example"},

		{"", ""},
		{".", ""},
		{"a..b", ""},
		{"..", ""},
		{".example.org", ""},
		{"example.org..", ""},
		{"evil\x00.example.org", ""},
		{"evil\r\n.example.org", ""},
		{"evil\n", ""},
		{"evil .example.org", ""},
		{"evil\t.example.org", ""},
		{"evil%00.example.org", ""},
		{"evil%2eexample.org", ""},
		{"user@example.org", ""},
		{"example.org/", ""},
		{`example.org\x`, ""},
		{"example.org#", ""},
		{"example.org?", ""},
		{"[::1%lo]", ""},
		{"fe80::1%eth0", ""},
		{"[127.0.0.1]", ""},
		{"[::1", ""},
		{"::1]", ""},
		{"[::1]x", ""},
		{"example.org:443", ""},
		{"256.1.1.1", ""},
		{"1.2.3.4.5", ""},
		{"1.2.3.0x1g", "1.2.3.0x1g"},
		{"1.2.3.09", ""},
		{"0x100000000", ""},
		{"99999999999999999999999", ""},
		{"example.1", ""},
		{"xn--a.example", ""},
		{"\u200b", ""},
		{strings.Repeat("a", 64) + ".example", ""},
		{strings.Repeat("a.", 127) + "example", ""},
		{strings.Repeat("é", 2000), ""},
	} {
		got, err := ParseHost(c.text)
		if (err != nil) != (c.want == "") || got.String() != c.want && c.want != "" {
			t.Errorf("ParseHost(%q) = %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, host string
		port       int
	}{
		{"example.org:443", "example.org", 443},
		{"[::1]:1", "::1", 1},
		{"example.org:0443", "example.org", 443},
		{"example.org", "", 0}, {"example.org:", "", 0}, {"example.org:0", "", 0}, {"example.org:65536", "", 0},
		{"example.org:+1", "", 0}, {"example.org:-1", "", 0}, {"example.org: 1", "", 0}, {"::1:443", "", 0}, {":443", "", 0},
		{"example.org:99999999999999999999", "", 0}, {"a:b:1", "", 0}, {"", "", 0},
	} {
		host, port, err := ParseTarget(c.text)
		if (err != nil) != (c.host == "") || c.host != "" && (host.String() != c.host || port != c.port) {
			t.Errorf("ParseTarget(%q) = %v, %d, %v", c.text, host, port, err)
		}
	}
}

func rules(t *testing.T, texts ...string) []Rule {
	t.Helper()
	var list []Rule
	for _, text := range texts {
		r, err := ParseRule(text)
		if err != nil {
			t.Fatalf("ParseRule(%q): %v", text, err)
		}
		list = append(list, r)
	}
	return list
}

func TestRefusedRules(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a b", "*.", "**", "*.*", "a.*", "*example.org", "*.1.2.3.4", "example.org:", "example.org:0", "example.org:65536", "example.org:0443",
		"http://example.org", "example.org/x", "user@example.org", "[::1", "[::1]:", "[1.2.3.4]", "fe80::1%lo", "[fe80::1%lo]:1",
		"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/08", "fd00::1/8", "::ffff:10.0.0.0/104", "127.1", "0x7f000001", "example.org/24", "a\x00", "a\r\n",
	} {
		if r, err := ParseRule(text); err == nil {
			t.Errorf("ParseRule(%q) = %+v", text, r)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, deny []string
		yes, no     []string
	}{
		{yes: nil, no: []string{"example.org:443", "1.1.1.1:443"}},
		{allow: []string{"example.org"}, yes: []string{"example.org:443", "EXAMPLE.org.:22"}, no: []string{"a.example.org:443", "example.org.evil:443", "xexample.org:1", "1.1.1.1:1"}},
		{allow: []string{"example.org:443"}, yes: []string{"example.org:443"}, no: []string{"example.org:80", "example.org:4430"}},
		{allow: []string{"*.example.org:443"}, yes: []string{"a.example.org:443", "b.a.example.org:443"}, no: []string{"example.org:443", "xexample.org:443", "a.example.org:80", "example.org.:443"}},
		{allow: []string{"Bücher.example"}, yes: []string{"xn--bcher-kva.example:1", "bücher.example:1"}, no: []string{"bucher.example:1"}},
		{allow: []string{"*"}, deny: []string{"*.ads.example", "ads.example:443"}, yes: []string{"example.org:1", "1.1.1.1:1", "[2606:4700::1]:1", "ads.example:80"},
			no: []string{"a.ads.example:1", "ads.example:443", "ADS.example.:443", "127.0.0.1:1", "10.1.2.3:1", "[::1]:1", "[fe80::1]:1", "169.254.169.254:80", "168.63.129.16:80", "0:1", "[::ffff:10.0.0.1]:1", "[64:ff9b::10.0.0.1]:1", "[2002:7f00:1::]:1", "[::127.0.0.1]:1", "100.64.1.1:1", "[ff02::1]:1", "255.255.255.255:1"}},
		{allow: []string{"0.0.0.0/0", "::/0"}, yes: []string{"1.1.1.1:1", "[2606:4700::1]:1", "[64:ff9b::1.1.1.1]:1"}, no: []string{"example.org:1", "10.1.2.3:1", "127.1:1", "[fd00::1]:1"}},
		{allow: []string{"10.0.0.0/8:443"}, deny: []string{"10.9.0.0/16"}, yes: []string{"10.1.2.3:443"}, no: []string{"10.1.2.3:80", "11.1.2.3:443", "10.9.1.1:443", "x.example:443"}},
		{allow: []string{"169.254.0.0/16"}, yes: []string{"169.254.1.1:80"}, no: []string{"169.254.169.254:80"}},
		{allow: []string{"169.254.169.254:80"}, yes: []string{"169.254.169.254:80", "2852039166:80"}, no: []string{"169.254.169.254:81"}},
		{allow: []string{"127.0.0.1:5432", "[::1]:5432"}, yes: []string{"127.0.0.1:5432", "[::1]:5432", "0x7f.1:5432"}, no: []string{"127.0.0.2:5432", "127.0.0.1:5433"}},
		{allow: []string{"*"}, deny: []string{"1.1.1.0/24"}, yes: []string{"1.1.2.1:1"}, no: []string{"1.1.1.1:1", "[::ffff:1.1.1.1]:1", "[64:ff9b::1.1.1.1]:1"}},
		{allow: []string{"example.org"}, deny: []string{"*"}, no: []string{"example.org:443"}},
		// What leads to a private address by a translator, a relay or a tunnel, and what is nobody's but a network of one's own.
		{allow: []string{"*", "::/0"}, yes: []string{"[2001:4860:4860::8888]:1", "[2a00:1450::5efe:808:808]:1", "[64:ff9b::808:808]:1", "[2002:808:808::]:1"},
			no: []string{"[::ffff:0:127.0.0.1]:1", "[::ffff:0:8.8.8.8]:1", "[2a00:1450::5efe:a00:1]:1", "[2a00:1450::200:5efe:127.0.0.1]:1", "[2001:0:808:808::f5ff:fffe]:1", "[200::1]:1", "[300:1::1]:1",
				"[64:ff9b::169.254.169.254]:80", "[2002:a9fe:a9fe::]:80", "[64:ff9b:1::1.1.1.1]:1", "[64:ff9b::1:1.1.1.1]:1", "[4000::1]:1", "[fe80::a9fe:a9fe]:80", "[fd00:42::42]:80"}},
		{allow: []string{"[200::/7]:22", "[::ffff:0:808:808]"}, yes: []string{"[::ffff:0:8.8.8.8]:1", "[201::1]:22"}, no: []string{"[201::1]:23"}},
		{allow: []string{"*", "*.internal"}, yes: []string{"other.internal:80"}, no: []string{"metadata.google.internal:80", "Metadata.Google.internal.:80", "instance-data:80", "metadata.goog:80"}},
		{allow: []string{"metadata.google.internal:80"}, yes: []string{"metadata.google.internal:80"}, no: []string{"metadata.google.internal:81"}},
	} {
		l := List{Allow: rules(t, c.allow...), Deny: rules(t, c.deny...)}
		for want, targets := range map[bool][]string{true: c.yes, false: c.no} {
			for _, target := range targets {
				h, port, err := ParseTarget(target)
				if err != nil {
					t.Errorf("%q: %v", target, err)
				} else if a := l.Host(h, port); a.OK() != want {
					t.Errorf("allow %q, deny %q: %s is %v (%s)", c.allow, c.deny, target, a.OK(), a.Reason)
				}
			}
		}
	}
}

func TestAddressesOfNames(t *testing.T) {
	t.Parallel()
	l := List{Allow: rules(t, "example.org", "10.1.0.0/16:443"), Deny: rules(t, "1.1.1.1")}
	for text, want := range map[string]bool{
		"9.9.9.9": true, "10.1.2.3": true, "::ffff:9.9.9.9": true, "2606:4700::1": true,
		"10.2.0.1": false, "127.0.0.1": false, "::ffff:127.0.0.1": false, "1.1.1.1": false, "fe80::1": false, "fe80::1%1": false, "fd00:ec2::254": false, "64:ff9b::7f00:1": false,
	} {
		if a := l.Addr(netip.MustParseAddr(text), 443); a.OK() != want {
			t.Errorf("%s is %v (%s)", text, a.OK(), a.Reason)
		}
	}
	if l.Own(netip.MustParseAddr("9.9.9.9"), 443).OK() || l.Own(netip.MustParseAddr("10.1.2.3"), 443).OK() {
		t.Error("an address of the host's own needs a rule for itself")
	}
}

// FuzzParseHost wants one form: what is read once reads as itself, and nothing
// that could end a name early is left in it.
func FuzzParseHost(f *testing.F) {
	for _, s := range []string{"example.org.", "127.1", "[::ffff:1.2.3.4]", "bücher.example", "０x7f.1", "a\x00.b", "xn--a", "1.2.3.4.5", "[fe80::1%lo]", "０"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHost(text)
		if err != nil {
			return
		}
		again, err := ParseHost(h.String())
		if err != nil || again != h {
			t.Fatalf("%q is %q, which is %q, %v", text, h, again, err)
		}
		if _, ok := h.Addr(); ok {
			return
		}
		if strings.Trim(h.String(), "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || len(h.String()) > maxName {
			t.Fatalf("%q is %q", text, h)
		}
		if _, err := netip.ParseAddr(h.String()); err == nil {
			t.Fatalf("%q is a name and an address", text)
		}
	})
}

// FuzzParseRule wants that a rule that is read denies what it names.
func FuzzParseRule(f *testing.F) {
	for _, s := range []string{"example.org:443", "*.example.org", "*", "[fd00::/8]:1", "10.0.0.0/8", "[::1]", "1.2.3.4:5"} {
		f.Add(s, "example.org:443")
	}
	f.Fuzz(func(t *testing.T, text, target string) {
		r, err := ParseRule(text)
		if err != nil {
			return
		}
		h, port, err := ParseTarget(target)
		if err != nil {
			return
		}
		if !r.any && r.below == "" && r.name == "" && !r.prefix.IsValid() {
			t.Fatalf("%q matches nothing", text)
		}
		both := List{Allow: []Rule{r}, Deny: []Rule{r}}
		if both.Host(h, port).OK() {
			t.Fatalf("%q allowed and denied lets %q through", text, target)
		}
	})
}
