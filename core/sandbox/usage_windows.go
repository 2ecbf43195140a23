// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"syscall"
	"time"
)

// setUsage notes what a command used. The times of a process are durations in
// units of 100 ns, see GetProcessTimes; Rusage has no peak memory there.
func (r *Result) setUsage(u syscall.Rusage) {
	r.UserTime = ticks(u.UserTime)
	r.SystemTime = ticks(u.KernelTime)
}

func ticks(t syscall.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}
