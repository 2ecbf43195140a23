// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
)

// boot starts a guest and returns what came of its steps, and what its console
// printed. The processors are emulated, with nothing of the host's, so it is
// the same everywhere and slow. Emulated processors that run side by side see
// a kernel that patches itself half done, once in a while, and it panics; then
// it is started again with processors that take turns.
func (m machine) boot(ctx context.Context, initial, disk string, limit time.Duration) ([]wire.Outcome, string, error) {
	outcomes, console, err := m.start(ctx, "multi", initial, disk, limit)
	if strings.Contains(console, "Kernel panic") && strings.Contains(console, "int3") {
		outcomes, console, err = m.start(ctx, "single", initial, disk, 2*limit)
	}
	return outcomes, console, err
}

// start starts a guest once. Threads is "multi" or "single".
func (m machine) start(ctx context.Context, threads, initial, disk string, limit time.Duration) ([]wire.Outcome, string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	argv := []string{"qemu-system-x86_64", "-machine", "pc", "-cpu", "max,la57=off"}
	console := "ttyS0"
	if m.arch == "arm64" {
		argv = []string{"qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth-impdef=on"}
		console = "ttyAMA0"
	}
	argv = append(argv,
		"-accel", "tcg,thread="+threads, "-smp", "2", "-m", "1024", "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio",
		"-kernel", m.image, "-initrd", initial, "-append", "console="+console+" quiet loglevel=1 panic=-1",
		"-drive", "if=none,id=disk,format=raw,snapshot=on,file="+disk, "-device", "virtio-blk-pci,drive=disk")
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, os.Stderr
	err := c.Run()
	outcomes, broken := wire.Read(out.String())
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("the guest was not done after %v", limit)
	case err == nil:
		err = broken
	}
	return outcomes, out.String(), err
}
