// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command guest is process 1 of the machines that try caisson on other
// kernels. Started from the initial file system it loads the modules found
// there, mounts the disk and becomes its own copy on it; started from the disk
// it sets the machine up as a distribution would, carries out the order, and
// switches the machine off.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
)

// steps is the argument of the process that carries out the order.
const steps = "steps"

func main() {
	if len(os.Args) == 2 && os.Args[1] == steps {
		if err := carryOut(); err != nil {
			fmt.Fprintln(os.Stderr, "guest:", err)
			os.Exit(1)
		}
		return
	}
	if os.Getpid() != 1 { // never switch off the machine of who tries this by hand
		fmt.Fprintln(os.Stderr, "guest: this is process 1 of a machine that make kernels starts")
		os.Exit(2)
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	unix.Sync()
	fmt.Fprintln(os.Stderr, "guest:", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
	select {}
}

func work() error {
	if _, err := os.Stat(wire.OrderPath); err != nil {
		return toDisk()
	}
	order, err := readOrder()
	if err != nil {
		return err
	}
	if err := setUp(order); err != nil {
		return err
	}
	// Process 1 reaps whatever is orphaned, so another one waits for steps.
	child, err := syscall.ForkExec("/proc/self/exe", []string{"guest", steps}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Env: os.Environ()})
	if err != nil {
		return fmt.Errorf("start the steps: %w", err)
	}
	for {
		pid, err := syscall.Wait4(-1, nil, 0, nil)
		if pid == child || err != nil && err != syscall.EINTR {
			return err
		}
	}
}

func readOrder() (wire.Order, error) {
	var order wire.Order
	text, err := os.ReadFile(wire.OrderPath)
	if err != nil {
		return order, err
	}
	if err := json.Unmarshal(text, &order); err != nil {
		return order, fmt.Errorf("%s: %w", wire.OrderPath, err)
	}
	return order, nil
}

// carryOut runs the steps of the order and prints what came of each.
func carryOut() error {
	order, err := readOrder()
	if err != nil {
		return err
	}
	for _, s := range order.Steps {
		if err := wire.Write(os.Stdout, run(s)); err != nil {
			return err
		}
	}
	return nil
}

// toDisk leaves the initial file system for the disk. It does what
// switch_root(8) does, since pivot_root cannot leave that file system and a
// plain change of the root keeps user namespaces from being made.
func toDisk() error {
	if err := unix.Mount("dev", "/dev", "devtmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	modules, err := os.ReadFile("/modules")
	if err != nil {
		return err
	}
	if err := loadModules(string(modules)); err != nil {
		return err
	}
	const disk = "/dev/vda"
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(disk); err == nil {
			break
		} else if time.Now().After(end) {
			return fmt.Errorf("no disk appears: %w", err)
		}
	}
	if err := unix.Mount(disk, "/disk", "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount the disk: %w", err)
	}
	if err := unix.Mount("/dev", "/disk/dev", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move /dev: %w", err)
	}
	if err := unix.Chdir("/disk"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the disk to /: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Exec("/sbin/init", []string{"init"}, os.Environ())
}
