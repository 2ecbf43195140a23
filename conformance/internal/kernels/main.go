// SPDX-License-Identifier: Apache-2.0

// Command kernels tries caisson on the kernels of Debian 12, emulated, and on
// this host's, in the situations that hosts are found in, and writes what came
// of it as one matrix. It is what make kernels runs.
//
// Start with cells.go, which lists what is tried. A guest is a kernel, an
// initial file system with its modules, and a disk with caisson; its process 1
// is package guest, and package wire is what the two say to each other. Nothing
// of the host is visible in a guest, and nothing but qemu, which must be
// installed, is needed of the host.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/kernels/wire"
)

func main() {
	var s scope
	dir := flag.String("dir", ".bin/kernels", "keep packages, results and consoles in this `directory`")
	only := flag.String("cells", "", "only cells whose name matches this `expression`; -list prints them")
	list := flag.Bool("list", false, "print the names of the cells")
	out := flag.String("out", "", "write the matrix of all results that are kept to this `file`")
	flag.StringVar(&s.match, "match", "", "only cases whose id matches this `expression`")
	flag.DurationVar(&s.limit, "limit", 10*time.Minute, "bounds the suite in each cell")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := try(ctx, *dir, *only, *list, s, *out); err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
}

func try(ctx context.Context, dir, only string, list bool, s scope, out string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	r := &runner{dir: dir, scope: s, fetcher: fetcher{dir}, machines: map[string]machine{}, built: map[string]programs{}}
	var broken error
	for _, c := range cells() {
		if !match.MatchString(c.String()) {
			continue
		}
		if list {
			fmt.Println(c)
			continue
		}
		started := time.Now()
		o, err := r.cell(ctx, c)
		switch {
		case errors.Is(err, errAbsent):
			fmt.Printf("%-28s not run: %v\n", c, err)
			continue
		case err == nil:
			err = r.keep(o)
		}
		if err == nil {
			err = o.complaint()
		}
		fmt.Printf("%-28s %4.0f s  %s\n", c, time.Since(started).Seconds(), o.summary())
		if err != nil {
			fmt.Printf("%-28s %v\n", "", err)
			broken = fmt.Errorf("%s: %w", c, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if out != "" {
		return errors.Join(broken, r.publish(out))
	}
	return broken
}

// runner makes what cells need, once.
type runner struct {
	scope
	dir      string
	fetcher  fetcher
	updated  bool
	machines map[string]machine  // by the kernel's name
	built    map[string]programs // by architecture
}

// errAbsent says that this build has no such backend.
var errAbsent = errors.New("this build has no such backend")

// programs builds what an architecture runs, once.
func (r *runner) programs(ctx context.Context, arch string) (programs, error) {
	if p, ok := r.built[arch]; ok {
		return p, nil
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return programs{}, err
	}
	p, err := build(ctx, r.dir, arch)
	if err == nil {
		r.built[arch] = p
	}
	return p, err
}

// machine fetches what a kernel is started from, once.
func (r *runner) machine(ctx context.Context, k kernel) (machine, error) {
	if m, ok := r.machines[k.name]; ok {
		return m, nil
	}
	if !r.updated {
		if err := r.fetcher.update(ctx); err != nil {
			return machine{}, err
		}
		r.updated = true
	}
	m, err := r.fetcher.machine(ctx, k)
	if err == nil {
		r.machines[k.name] = m
	}
	return m, err
}

// cell carries out the steps of a cell, in a guest or here.
func (r *runner) cell(ctx context.Context, c cell) (result, error) {
	if c.latest == "" {
		return r.here(ctx, c)
	}
	p, err := r.programs(ctx, c.arch)
	if err != nil {
		return result{}, err
	}
	m, err := r.machine(ctx, c.kernel)
	if err != nil {
		return result{}, err
	}
	work, err := os.MkdirTemp(r.dir, "guest-*")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(work)
	home := map[bool]string{false: "/root/work", true: "/home/tester/work"}[c.user]
	profile, err := r.fetcher.profile(ctx, c.profile, work)
	if err != nil {
		return result{}, err
	}
	order := wire.Order{Clock: time.Now().Unix(), Settings: c.settings, Profile: profile, Steps: c.steps(guestCaisson, "/bin/docker-like", home, r.scope)}
	initial, disk := filepath.Join(work, "initial"), filepath.Join(work, "disk")
	if err := errors.Join(m.initial(ctx, p, initial), m.disk(ctx, p, "Debian 12 in qemu, "+c.title, order, disk)); err != nil {
		return result{}, err
	}
	outcomes, console, err := m.boot(ctx, initial, disk, r.limit+3*time.Minute)
	log := filepath.Join(r.dir, "console-"+fileName(c)+".txt")
	if failed := os.WriteFile(log, []byte(console), 0o644); failed != nil {
		return result{}, failed
	}
	if err != nil {
		return result{}, fmt.Errorf("%w; its console is in %s", err, log)
	}
	return newResult(c, outcomes)
}
