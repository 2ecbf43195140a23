// SPDX-License-Identifier: Apache-2.0

package sbpleval

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Request is what a process does an operation on. Fields that mean nothing for
// the operation are zero.
type Request struct {
	Path       string   // absolute and normalised, as the kernel names the file
	Type       string   // of the file: REGULAR-FILE, DIRECTORY, SYMLINK, CHARACTER-DEVICE, SOCKET, FIFO
	Extensions []string // rights to the file that were handed out
	Ioctl      uint64
	Target     string // of process operations: self, same-sandbox or others
	Name       string // of a service, semaphore, shared memory, sysctl, preference
	// Local and Remote are ends of a connection: "tcp 127.0.0.1:80", or
	// "unix /path".
	Local, Remote string
	Domain        string // of a socket: AF_INET, AF_UNIX, AF_SYSTEM, AF_ROUTE
	Protocol      int

	folded string // of Path, set where the model folds
}

// filter reports whether a request matches under a model.
type filter func(m Model, r Request) bool

func (in *interpreter) filter(n node) (filter, error) {
	h := head(n)
	args := n.list
	if len(args) > 0 {
		args = args[1:]
	}
	switch h {
	case "require-all", "require-any", "require-not":
		return in.combined(n, h, args)
	case "remote", "local", "from", "to":
		return in.address(n, h, args)
	case "literal", "path", "path-literal", "subpath", "prefix", "path-prefix", "regex", "path-regex":
		return in.path(n, h, args)
	}
	if len(args) != 1 {
		return nil, failAt(n, "unbound variable: %s", h)
	}
	if symbol := args[0]; symbol.kind == symbolNode || symbol.kind == numberNode {
		return symbolFilter(n, h, symbol)
	}
	v, err := in.eval(args[0])
	if err != nil {
		return nil, err
	}
	if v.truth != nil || v.text == "" {
		return nil, failAt(args[0], "expected pattern, got boolean or nothing")
	}
	name, want := h, v.text
	match := func(got string) bool { return got == want }
	switch {
	case strings.HasSuffix(h, "-prefix"):
		name, match = strings.TrimSuffix(h, "-prefix"), func(got string) bool { return strings.HasPrefix(got, want) }
	case strings.HasSuffix(h, "-regex"):
		re, err := pattern(args[0], want)
		if err != nil {
			return nil, err
		}
		name, match = strings.TrimSuffix(h, "-regex"), re.MatchString
	}
	switch name {
	case "global-name", "local-name", "xpc-service-name", "sysctl-name", "ipc-posix-name", "iokit-registry-entry-class", "preference-domain":
		// The kind of the name goes with the operation; none has two.
		return func(_ Model, r Request) bool { return r.Name != "" && match(r.Name) }, nil
	case "extension":
		return func(_ Model, r Request) bool { return slices.ContainsFunc(r.Extensions, match) }, nil
	}
	return nil, failAt(n, "unbound variable: %s", h)
}

func (in *interpreter) combined(n node, h string, args []node) (filter, error) {
	if len(args) == 0 || h == "require-not" && len(args) != 1 {
		return nil, failAt(n, "(%s) with %d parts", h, len(args))
	}
	var parts []filter
	for _, a := range args {
		f, err := in.filter(a)
		if err != nil {
			return nil, err
		}
		parts = append(parts, f)
	}
	return func(m Model, r Request) bool {
		holds := func(f filter) bool { return f(m, r) }
		switch h {
		case "require-all":
			return !slices.ContainsFunc(parts, func(f filter) bool { return !holds(f) })
		case "require-any":
			return slices.ContainsFunc(parts, holds)
		}
		return !holds(parts[0])
	}, nil
}

func symbolFilter(n node, h string, symbol node) (filter, error) {
	known := map[string][]string{
		"target":        {"self", "same-sandbox", "others"},
		"vnode-type":    {"REGULAR-FILE", "DIRECTORY", "SYMLINK", "CHARACTER-DEVICE", "BLOCK-DEVICE", "SOCKET", "FIFO", "TTY"},
		"socket-domain": {"AF_UNIX", "AF_INET", "AF_INET6", "AF_SYSTEM", "AF_ROUTE"},
	}
	want := symbol.text
	switch h {
	case "ioctl-command", "socket-protocol":
		if symbol.kind != numberNode {
			return nil, failAt(symbol, "unbound variable: %s", want)
		}
		number, err := strconv.ParseUint(strings.Replace(want, "#x", "0x", 1), 0, 64)
		if err != nil {
			return nil, failAt(symbol, "%v", err)
		}
		if h == "ioctl-command" {
			return func(_ Model, r Request) bool { return r.Ioctl == number }, nil
		}
		return func(_ Model, r Request) bool { return uint64(r.Protocol) == number }, nil
	}
	if symbol.kind != symbolNode || !slices.Contains(known[h], want) {
		return nil, failAt(n, "unbound variable: %s or %s", h, want)
	}
	switch h {
	case "target":
		return func(_ Model, r Request) bool { return r.Target == want || want == "same-sandbox" && r.Target == "self" }, nil
	case "vnode-type":
		return func(_ Model, r Request) bool { return r.Type == want }, nil
	}
	return func(_ Model, r Request) bool { return r.Domain == want }, nil
}

// path makes a filter of paths. The kernel normalises what is accessed and
// never the filter, so a filter that is not normal itself is an error here.
func (in *interpreter) path(n node, h string, args []node) (filter, error) {
	if len(args) != 1 {
		return nil, failAt(n, "(%s) with %d parts", h, len(args))
	}
	v, err := in.eval(args[0])
	if err != nil {
		return nil, err
	}
	if v.truth != nil || v.text == "" {
		return nil, failAt(args[0], "expected pattern, got boolean or nothing")
	}
	if len(v.text) > 1000 {
		return nil, failAt(args[0], "Error reading string: %d bytes", len(v.text))
	}
	want := v.text
	if strings.HasSuffix(h, "regex") {
		re, err := pattern(args[0], want)
		if err != nil {
			return nil, err
		}
		return func(m Model, r Request) bool { return r.Path != "" && !m.NoPatterns && re.MatchString(r.Path) }, nil
	}
	if !path.IsAbs(want) || path.Clean(want) != want {
		return nil, failAt(args[0], "no file has the path %q", want)
	}
	if strings.ContainsFunc(want, unicode.IsControl) {
		return nil, failAt(args[0], "a control character in %q", want)
	}
	plain, folded := want, fold(want)
	return func(m Model, r Request) bool {
		if r.Path == "" {
			return false
		}
		got, want := r.Path, plain
		if m.Fold {
			got, want = r.folded, folded
		}
		switch h {
		case "subpath":
			return got == want || strings.HasPrefix(got, strings.TrimSuffix(want, "/")+"/")
		case "prefix", "path-prefix":
			return strings.HasPrefix(got, want)
		}
		return got == want
	}, nil
}

// in completes a request for a model.
func (r Request) in(m Model) Request {
	if m.Fold {
		r.folded = fold(r.Path)
	}
	return r
}

// fold is what a volume that ignores case and normalisation takes a name for.
func fold(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		plain = plain && s[i] < 0x80
	}
	if plain {
		return strings.ToLower(s)
	}
	return norm.NFD.String(cases.Fold().String(norm.NFD.String(s)))
}

// address makes a filter of one end of a connection. The host is * or
// localhost; with any other one the profile is not compiled.
func (in *interpreter) address(n node, h string, args []node) (filter, error) {
	if len(args) != 2 || args[0].kind != symbolNode {
		return nil, failAt(n, "(%s) of another form", h)
	}
	end := func(r Request) string {
		if h == "remote" || h == "to" {
			return r.Remote
		}
		return r.Local
	}
	kind := args[0].text
	if kind == "unix-socket" {
		f, err := in.filter(args[1])
		if err != nil {
			return nil, err
		}
		return func(m Model, r Request) bool {
			name, ok := strings.CutPrefix(end(r), "unix ")
			return ok && f(m, Request{Path: name}.in(m))
		}, nil
	}
	v, err := in.eval(args[1])
	if err != nil {
		return nil, err
	}
	host, port, ok := strings.Cut(v.text, ":")
	if number, err := strconv.Atoi(port); !ok || host != "*" && host != "localhost" || port != "*" && (err != nil || number < 1 || number > 65535) {
		return nil, failAt(args[1], "host must be * or localhost in network address: %q", v.text)
	}
	if kind != "ip" && kind != "tcp" && kind != "udp" {
		return nil, failAt(args[0], "unbound variable: %s", kind)
	}
	return func(m Model, r Request) bool {
		protocol, address, ok := strings.Cut(end(r), " ")
		at := strings.LastIndexByte(address, ':')
		if !ok || protocol == "unix" || at < 0 || kind != "ip" && kind != protocol {
			return false
		}
		return (host == "*" || m.loopback(address[:at])) && (port == "*" || port == address[at+1:])
	}, nil
}

// loopback reports whether an address counts as localhost. The two addresses
// of loopback do; whether mapped ones and the host's own do was reported both
// ways.
func (m Model) loopback(host string) bool {
	switch host {
	case "127.0.0.1", "[::1]":
		return true
	case "[::ffff:127.0.0.1]", OwnAddress:
		return m.Mapped
	}
	return false
}

// OwnAddress is the address of an interface of the host, in requests.
const OwnAddress = "192.0.2.1"

// pattern compiles a regular expression of which every release reads the same:
// characters, escaped punctuation, groups, alternatives, classes of single
// characters and ranges, the repeats * + ? and the anchors.
func pattern(n node, text string) (*regexp.Regexp, error) {
	if bad := unportable.FindString(escapes.ReplaceAllString(text, "_")); bad != "" {
		return nil, failAt(n, "the pattern holds %q, which not every release reads alike", bad)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, failAt(n, "%v", fmt.Errorf("pattern: %w", err))
	}
	return re, nil
}

var (
	unportable = regexp.MustCompile(`\\[A-Za-z0-9]|\(\?|[{}]|\[\^?\]|\[\[|\*\?|\+\?|\?\?`)
	escapes    = regexp.MustCompile(`\\[^A-Za-z0-9]`) // of punctuation
)
