// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"net/netip"
	"slices"
	"testing"
)

// TestNamesOfOneLabel: the host's file of names is read for them too, and
// nothing else adds to them.
func TestNamesOfOneLabel(t *testing.T) {
	t.Parallel()
	found, err := lookup(context.Background(), "localhost")
	if err != nil || !slices.ContainsFunc(found, netip.Addr.IsLoopback) {
		t.Errorf("localhost: %v, %v", found, err)
	}
	if found, err := fileOnly().LookupNetIP(context.Background(), "ip", "example.invalid"); err == nil {
		t.Errorf("a name that is in no file: %v", found)
	}
}
