// SPDX-License-Identifier: Apache-2.0

//go:build linux || windows

package cli

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// agree prints what will be done, and asks.
func (p *program) agree(title string, lines []string, yes bool) error {
	fmt.Fprintln(p.stdout, title)
	for _, l := range lines {
		fmt.Fprintln(p.stdout, "  "+diag.Escape(l))
	}
	if yes {
		return nil
	}
	fmt.Fprint(p.stdout, "go on? [y/N] ")
	answer, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && answer == "" || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return diag.New(diag.UsageInvalid, "nothing was done", "answer y, or write --yes")
	}
	return nil
}
