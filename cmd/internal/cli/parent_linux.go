// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// withParent returns a context that ends with the process that started this one.
// Whoever may signal neither may wait for the other, see pidfd_open(2): the
// parent may be root's.
func withParent(ctx context.Context) (context.Context, context.CancelFunc, error) {
	parent := os.Getppid()
	fd, err := unix.PidfdOpen(parent, 0)
	if err != nil || os.Getppid() != parent { // 0 is outside of this process id namespace
		if err == nil {
			unix.Close(fd)
		}
		return nil, nil, diag.New(diag.UsageInvalid, "--with-parent: the process that started caisson has ended or cannot be seen", "start caisson directly from what it is to end with")
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		awaitEnd(os.NewFile(uintptr(fd), "parent"))
	}()
	return ctx, cancel, nil
}
