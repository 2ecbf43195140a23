// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package conformance

// What the cases of Linux lay and look at. They are not applicable elsewhere,
// so none of it is reached.

const noWait, nonBlock, buffer = 0, 0, 0

func ipcKey() int64 { return 0 }

func (t *T) hostMemory(string) int64 { t.Skip("only Linux has it"); return 0 }
func (t *T) hostSemaphore() int64    { t.Skip("only Linux has it"); return 0 }
func (t *T) hostQueue(string) int64  { t.Skip("only Linux has it"); return 0 }
func (t *T) hostNamedQueue(string)   { t.Skip("only Linux has it") }
func (t *T) hostKey(string, string)  { t.Skip("only Linux has it") }

func segmentLeft(int64) bool           { return false }
func unmount(string)                   {}
func hasAttribute(string, string) bool { return false }
func mountedBelow(string) bool         { return false }
