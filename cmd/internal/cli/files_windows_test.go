// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"testing"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// TestNoDescriptors: --fd is refused with what helps, and not read as a handle.
func TestNoDescriptors(t *testing.T) {
	for _, n := range []int{3, 4, 1000} {
		files, err := inherited([]int{n})
		d, ok := errors.AsType[*diag.Diagnostic](err)
		if !ok || d.Code != diag.DescriptorDenied || d.Remedy == "" || files != nil {
			t.Errorf("%d: %v, %v", n, files, err)
		}
	}
	if _, err := inherited(nil); err != nil {
		t.Errorf("without one: %v", err)
	}
}
