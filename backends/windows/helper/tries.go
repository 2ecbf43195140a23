// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"fmt"
	"strconv"
	"strings"
)

// The statuses of the role "connect".
const (
	statusConnected = 10 // something went through that must not
	statusRefused   = 11 // nothing went through
	statusReached   = 12 // the port that the filters leave was reached, and nothing else
)

// tries are what the role "connect" tries as an account: other is a port of the
// loopback at which somebody listens and that must not be reached, own the one
// that the filters leave, 0 where they leave none.
type tries struct{ other, own int }

// String writes what the role reads on its standard input: one port, or two.
func (t tries) String() string {
	if t.own == 0 {
		return strconv.Itoa(t.other)
	}
	return strconv.Itoa(t.other) + " " + strconv.Itoa(t.own)
}

// parseTries reads what String writes.
func parseTries(text string) (tries, error) {
	first, second, two := strings.Cut(text, " ")
	var t tries
	var err error
	if t.other, err = parsePort(first); err == nil && two {
		t.own, err = parsePort(second)
	}
	if err != nil {
		return tries{}, err
	}
	if t.own == t.other {
		return tries{}, fmt.Errorf("port %d is both to be reached and not", t.own)
	}
	return t, nil
}

func parsePort(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%q is no port", text)
	}
	return int(n), nil
}

// status gives the status of the role: more says whether anything went through
// that must not, reached whether the account's own port was reached.
func (t tries) status(more, reached bool) int {
	switch {
	case more:
		return statusConnected
	case t.own != 0 && reached:
		return statusReached
	}
	return statusRefused
}

// readStatus is what a status of the role says.
func readStatus(code uint32) (Reached, error) {
	switch code {
	case statusConnected:
		return Reached{More: true}, nil
	case statusRefused:
		return Reached{}, nil
	case statusReached:
		return Reached{Port: true}, nil
	}
	return Reached{}, fmt.Errorf("the test of the network ended with status %d", code)
}
