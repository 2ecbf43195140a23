// SPDX-License-Identifier: Apache-2.0

//go:build amd64

package attack

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/sandbox"
)

// attack is one thing that hostile code tries.
type attack struct {
	id, what  string
	guarantee guarantee.ID
	lay       func(*world) bait         // done by the host before the sandbox is open
	act       func(args []string) error // done by the attacker, in the workspace
	// alone gives the attack a workspace and a sandbox of its own; the harm is
	// looked for once the sandbox is closed.
	alone bool
	// caller has a process between: the harm is looked for in that process.
	caller bool
	// refusable says that caisson may refuse to start the command.
	refusable bool
	// leftOpen is the backend of which the contract says that it does not keep
	// this from being done.
	leftOpen string
	// needs says what the control needs that not every host gives.
	needs string
}

// bait is what the host has laid out for one attack.
type bait struct {
	args  []string
	stdin *os.File
	env   []string // of the caller
	// harm says what harm was done, "" for none. It gets what the attacker
	// said and the id of the process that ran it.
	harm func(said string, caller int) string
}

// attacks is the table.
func attacks() []attack {
	return slices.Concat(
		fileAttacks(),
		leaseAttacks(),
		protectedAttacks(),
		hiddenAttacks(),
		descriptorAttacks(),
		callerAttacks(),
		kernelAttacks(),
		namespaceAttacks(),
		deviceAttacks(),
		socketAttacks(),
		setidAttacks(),
		environmentAttacks(),
		networkAttacks(),
	)
}

func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, a := range attacks() {
		if seen[a.id] || a.id == "" || a.what == "" || a.act == nil || a.lay == nil || !guarantee.Known(a.guarantee) {
			t.Errorf("bad entry %q", a.id)
		}
		seen[a.id] = true
	}
	t.Logf("%d attacks", len(seen))
}

// TestAttacks does every attack.
func TestAttacks(t *testing.T) { allOn(t, "linux/namespaces") }

// TestAttacksWithoutNamespaces does every attack on the backend for hosts that
// give no namespaces. What it does not claim may be broken; the rest must hold.
func TestAttacksWithoutNamespaces(t *testing.T) { allOn(t, withoutNamespaces) }

// allOn does every attack on a backend. Those that need no workspace of their
// own share one sandbox, so that each also meets what the ones before left there.
func allOn(t *testing.T, backend string) {
	control, target := newWorld(t), newWorld(t)
	target.backend = backend
	type pair struct {
		attack
		control, target bait
	}
	var shared []pair
	for _, a := range attacks() {
		switch {
		case a.caller:
			t.Run(a.id, func(t *testing.T) { t.Parallel(); byCaller(t, a, backend) })
		case a.alone:
			t.Run(a.id, func(t *testing.T) { t.Parallel(); alone(t, a, backend) })
		default:
			shared = append(shared, pair{a, a.lay(control), a.lay(target)})
		}
	}
	sb := target.open()
	for _, p := range shared {
		t.Run(p.id, func(t *testing.T) {
			text := control.plain(p.id, p.control)
			p.judgeControl(t, text, p.control.harm(text, 0))
			text = target.inside(sb, p.id, p.target)
			p.judge(t, sb, text, p.target.harm(text, 0))
		})
	}
}

// alone does one attack in worlds of its own.
func alone(t *testing.T, a attack, backend string) {
	control, target := newWorld(t), newWorld(t)
	target.backend = backend
	b := a.lay(control)
	text := control.plain(a.id, b)
	a.judgeControl(t, text, b.harm(text, 0))
	b = a.lay(target)
	sb := target.open()
	text = target.inside(sb, a.id, b)
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	a.judge(t, sb, text, b.harm(text, 0))
}

func (a *attack) judgeControl(t *testing.T, said, harm string) {
	t.Helper()
	if harm != "" {
		return
	}
	if a.needs == "" && os.Getenv(confinedVariable) == "" {
		t.Errorf("the bait is broken: %s does no harm without a sandbox: %s", a.what, said)
		return
	}
	t.Logf("NO CONTROL: %s does no harm here without a sandbox either, it needs %s: %s", a.what, cmp.Or(a.needs, "to be confined by nothing else"), said)
}

// judge demands that what a sandbox claims holds.
func (a *attack) judge(t *testing.T, sb *sandbox.Sandbox, said, harm string) {
	t.Helper()
	if _, claimed := sb.Claims()[a.guarantee]; !claimed || a.leftOpen == sb.Backend() {
		first, _, _ := strings.Cut(harm, "\n")
		t.Logf("NOT CLAIMED: %s: %s: %s", a.guarantee, a.what, first)
	} else if harm != "" {
		t.Errorf("%s is broken: %s: %s\nthe attacker said: %s", a.guarantee, a.what, harm, said)
	}
	if !acted(said) && !a.refusable {
		t.Errorf("the attacker was not executed: %s", said)
	}
}

// changed is the harm of what must stay as it is.
func changed(root string) func(string, int) string {
	before := tree(root)
	return func(string, int) string {
		if after := tree(root); after != before {
			return fmt.Sprintf("changed\nbefore:\n%safter:\n%s", before, after)
		}
		return ""
	}
}

// leaked is the harm of a secret that the attacker can tell.
func leaked(secret string) func(string, int) string {
	return func(said string, _ int) string {
		if strings.Contains(said, secret) {
			return "the attacker knows the secret"
		}
		return ""
	}
}

// token is a word that nobody can guess.
func token(prefix string) string { return prefix + strings.ToLower(rand.Text()) }
