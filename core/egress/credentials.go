// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net"
	"strings"
)

// known reports whether a name and a password are the ones that the proxy asks
// for. How long it takes says nothing but the length of what was given.
func (p *Proxy) known(user, password string) bool {
	want := p.config.User + ":" + p.config.Password
	return subtle.ConstantTimeCompare([]byte(user+":"+password), []byte(want)) == 1
}

// admits reports whether a request of HTTP has what the proxy asks for: the
// scheme Basic of RFC 7617, once.
func (p *Proxy) admits(h *head) bool {
	if p.config.Password == "" {
		return true
	}
	values := h.values("Proxy-Authorization")
	if len(values) != 1 {
		return false
	}
	user, password, ok := basic(values[0])
	return ok && p.known(user, password)
}

// basic reads the value of a field for the scheme Basic.
func basic(value string) (user, password string, ok bool) {
	scheme, coded, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	text, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}

// Numbers of the name and password of SOCKS5, RFC 1929.
const (
	socksLogin        = 2 // the method
	socksLoginVersion = 1
	socksLoginOK      = 0
	socksLoginWrong   = 1
)

// admitSOCKS reads a name and a password and says whether they are right.
func (p *Proxy) admitSOCKS(c net.Conn, in *bufio.Reader) bool {
	version, err := in.ReadByte()
	if err != nil || version != socksLoginVersion {
		return false
	}
	user, err := counted(in)
	if err != nil {
		return false
	}
	password, err := counted(in)
	if err != nil {
		return false
	}
	if !p.known(user, password) {
		_, _ = c.Write([]byte{socksLoginVersion, socksLoginWrong}) // it ends in any case
		return false
	}
	_, err = c.Write([]byte{socksLoginVersion, socksLoginOK})
	return err == nil
}

// counted reads a text with its length, of one byte, before it.
func counted(in *bufio.Reader) (string, error) {
	length, err := in.ReadByte()
	if err != nil {
		return "", err
	}
	text := make([]byte, length)
	_, err = io.ReadFull(in, text)
	return string(text), err
}
