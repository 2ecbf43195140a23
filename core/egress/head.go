// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// head is what begins a request or an answer of HTTP/1.
type head struct {
	first  [3]string // method, target, version; or version, status, reason
	fields []field
}

type field struct{ name, value string }

// maxFields bounds the fields of a head.
const maxFields = 128

// malformed is a request that is not understood, and the status that says so.
type malformed struct {
	status int
	what   string
}

func (m *malformed) Error() string { return m.what }

func bad(what string) error { return &malformed{400, what} }

// readHead reads up to the empty line. Two readers of one head must never see
// two: lines end with CR LF and hold neither elsewhere, no line goes on in the
// next, and names are tokens with the colon directly behind (RFC 9112, 2.2 and
// 5.1).
func readHead(in *bufio.Reader, limit int) (*head, error) {
	h := &head{}
	for n := 0; ; n++ {
		line, err := readLine(in, &limit)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if h.first, err = firstLine(line); err != nil {
				return nil, err
			}
			continue
		}
		if line == "" {
			return h, nil
		}
		if n > maxFields {
			return nil, &malformed{431, "the head has too many fields"}
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !token(name) || !fieldValue(value) {
			return nil, bad("the head has a line that is no field")
		}
		h.fields = append(h.fields, field{name, value})
	}
}

// readLine reads a line without its end, and takes it off the limit.
func readLine(in *bufio.Reader, limit *int) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if *limit -= len(part); *limit < 0 {
			return "", &malformed{431, "the head is too long"}
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.ContainsAny(text, "\r\n\x00") {
		return "", bad("the head has a line that does not end with CR LF")
	}
	return string(text), nil
}

// firstLine splits a first line at its spaces, of which there is one each.
func firstLine(line string) (parts [3]string, err error) {
	a, rest, ok := strings.Cut(line, " ")
	b, c, ok2 := strings.Cut(rest, " ")
	if !ok || a == "" || b == "" || !fieldValue(c) {
		return parts, bad("the first line is none of HTTP")
	}
	if !ok2 && !strings.HasPrefix(a, "HTTP/") {
		return parts, bad("the first line has no version")
	}
	for _, part := range []string{a, b} {
		for i := range len(part) {
			if part[i] <= ' ' || part[i] >= 0x7f {
				return parts, bad("the first line has a character that no address has")
			}
		}
	}
	return [3]string{a, b, c}, nil
}

func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

func fieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// values returns the values of all fields of a name, in order.
func (h *head) values(name string) []string {
	var list []string
	for _, f := range h.fields {
		if strings.EqualFold(f.name, name) {
			list = append(list, f.value)
		}
	}
	return list
}

// Ways in which the length of a body is told, beside a number of bytes.
const (
	chunked  = -1
	untilEOF = -2 // of answers only
)

// bodyLength says how long the body of a request is. Two fields that could
// disagree are refused (RFC 9112, 6.3).
func (h *head) bodyLength() (int64, error) {
	coding, length := h.values("Transfer-Encoding"), h.values("Content-Length")
	switch {
	case len(coding)+len(length) > 1:
		return 0, bad("the head gives the length of the body twice")
	case len(coding) == 1:
		if !strings.EqualFold(coding[0], "chunked") {
			return 0, &malformed{501, "the body has a coding that is not chunked"}
		}
		if h.first[2] == "HTTP/1.0" { // whose readers see no body there, and take it for another request
			return 0, bad("the body is in chunks, which HTTP/1.0 has not")
		}
		return chunked, nil
	case len(length) == 0:
		return 0, nil
	}
	if length[0] == "" || strings.Trim(length[0], "0123456789") != "" {
		return 0, bad("the length of the body is no number")
	}
	n, err := strconv.ParseInt(length[0], 10, 64)
	if err != nil {
		return 0, bad("the length of the body is no number")
	}
	return n, nil
}

// drop removes what belongs to one connection: the fields that RFC 9110, 7.6.1
// lists, those that Connection names, and more. What decides where a message
// ends or whom it is for cannot be named away.
func (h *head) drop(more ...string) error {
	names := append([]string{"Connection", "Proxy-Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade"}, more...)
	for _, list := range h.values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.Trim(name, " \t")
			if name == "" {
				continue
			}
			for _, kept := range []string{"Host", "Content-Length", "Transfer-Encoding"} {
				if strings.EqualFold(name, kept) {
					return bad("Connection names a field that is for everyone")
				}
			}
			names = append(names, name)
		}
	}
	h.fields = slices.DeleteFunc(h.fields, func(f field) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, f.name) })
	})
	return nil
}

// text is the head as it is sent.
func (h *head) text() []byte {
	var b bytes.Buffer
	b.WriteString(strings.TrimSuffix(strings.Join(h.first[:], " "), " "))
	b.WriteString("\r\n")
	for _, f := range h.fields {
		b.WriteString(f.name + ": " + f.value + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}
