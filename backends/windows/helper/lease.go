// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// held is an account that this sandbox alone holds.
type held struct {
	name   string
	port   int // that the account's filters leave, 0 for none
	unlock func() error
}

// errHeld says that a lock is somebody's.
var errHeld = errors.New("another process holds the lock")

// choose takes the first account of a pool that nobody holds, beginning with the
// preferred one. lock holds an account, or fails with errHeld. An account whose
// port is not free is passed over: its commands would reach a stranger.
func choose(o Options, pool, preferred string, lock func(name string) (unlock func() error, err error), free func(port int) bool) (held, error) {
	names, taken := o.Accounts(pool), 0
	for _, name := range Preferred(names, preferred) {
		h := held{name: name, port: o.Port(name)}
		var err error
		if h.unlock, err = lock(name); errors.Is(err, errHeld) {
			continue
		} else if err != nil {
			return held{}, fmt.Errorf("lock the account %s: %w", name, err)
		}
		if h.port == 0 || free(h.port) {
			return h, nil
		}
		taken = h.port
		if err := h.unlock(); err != nil {
			return held{}, err
		}
	}
	if taken != 0 {
		return held{}, portTaken(taken)
	}
	return held{}, diag.New(diag.LaunchFailed, fmt.Sprintf("all %d %s sandbox accounts are in use", len(names), pool),
		"wait until another sandbox ends, or run caisson setup install with a larger pool")
}

// portTaken refuses a sandbox whose account could reach nobody but a stranger.
func portTaken(port int) error {
	return diag.New(diag.LaunchFailed, fmt.Sprintf("another program has port %d of 127.0.0.1, at which the sandbox's proxy is to listen", port),
		fmt.Sprintf("find it with netstat -ano | findstr :%d and end it, or run caisson setup install with more accounts (--proxy)", port))
}

// Preferred gives the accounts of a pool with the one that is preferred first.
func Preferred(names []string, preferred string) []string {
	if !slices.Contains(names, preferred) {
		return names
	}
	return append([]string{preferred}, slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == preferred })...)
}

// mostSticky bounds how many pairs of a workspace and an account are remembered.
const mostSticky = 1000

// Sticky finds which of the accounts of a pool served a workspace last, in a file
// of lines: account, tab, workspace, the last used first.
func Sticky(text, workspace string, pool []string) string {
	for line := range strings.Lines(text) {
		name, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if ok && strings.EqualFold(path, workspace) && slices.Contains(pool, name) {
			return name
		}
	}
	return ""
}

// Remember puts a workspace with an account of a pool in front. Which account of
// another pool served it stays known.
func Remember(text, workspace, name string, pool []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\t%s\n", name, workspace)
	n := 1
	for line := range strings.Lines(text) {
		other, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || strings.EqualFold(path, workspace) && (other == name || slices.Contains(pool, other)) || n >= mostSticky {
			continue
		}
		b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		n++
	}
	return b.String()
}

// CapabilitySID gives a writable root a SID that is nobody's: of the form of a
// machine's accounts, from a keyed hash of the path without case.
func CapabilitySID(secret []byte, path string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(strings.ToLower(path)))
	sum := h.Sum(nil)
	part := func(i int) uint32 { return binary.BigEndian.Uint32(sum[4*i:]) }
	return fmt.Sprintf("S-1-5-21-%d-%d-%d-%d", part(0), part(1), part(2), part(3))
}

// secretOf reads a secret of 32 bytes, and makes it where there is none.
func secretOf(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if err == nil && len(secret) == 32 {
		return secret, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	secret = make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	fresh := fmt.Sprintf("%s.%x", path, secret[:4])
	if err := os.WriteFile(fresh, secret, 0o600); err != nil {
		return nil, err
	}
	// A link fails where another process was first; its secret stands then.
	err = os.Link(fresh, path)
	if removed := os.Remove(fresh); removed != nil {
		return nil, removed
	}
	if err != nil {
		return os.ReadFile(path)
	}
	return secret, nil
}
