// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"strings"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// tells reports whether a secret is anywhere in what the helper answered.
func tells(r act.Reply, secret string) bool {
	if bytes.Contains(r.Data, []byte(secret)) {
		return true
	}
	for _, s := range r.List {
		if strings.Contains(s, secret) {
			return true
		}
	}
	for _, one := range r.Replies {
		if tells(one, secret) {
			return true
		}
	}
	return false
}
