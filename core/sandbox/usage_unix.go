// SPDX-License-Identifier: Apache-2.0

//go:build unix

package sandbox

import (
	"runtime"
	"syscall"
	"time"
)

// setUsage notes what a command used. getrusage(2) gives the peak memory in
// KiB on Linux and in bytes on macOS.
func (r *Result) setUsage(u syscall.Rusage) {
	r.UserTime = time.Duration(u.Utime.Nano())
	r.SystemTime = time.Duration(u.Stime.Nano())
	r.MaxRSS = int64(u.Maxrss)
	if runtime.GOOS != "darwin" {
		r.MaxRSS *= 1024
	}
}
