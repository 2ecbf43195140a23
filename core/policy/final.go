// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/caisson-sandbox/caisson/core/diag"
)

// checkFinal refuses a policy in which something changes or adds to a setting
// that the system pins. It reads the pins from the record of the layers, so
// that a program does not lift them by assigning to Final.
func (p Policy) checkFinal() error {
	for _, l := range p.layers {
		if l.kind != LayerSystem {
			continue
		}
		for _, pin := range l.said {
			if pin.setting != "final" {
				continue
			}
			if err := p.checkPin(pin.value, l.origin(pin)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p Policy) checkPin(setting string, pin Origin) error {
	var system []string
	for _, l := range p.layers {
		for _, m := range l.said {
			if l.kind == LayerSystem && m.setting == setting {
				system = append(system, m.value)
			}
		}
	}
	allowed := system
	if v := standardValue(setting); v != "" && len(system) == 0 {
		allowed = []string{v}
	}
	for _, l := range p.layers {
		for _, m := range l.said {
			if l.kind > LayerSystem && m.setting == setting && !slices.Contains(allowed, m.value) {
				return pinned(setting, l.origin(m), pin)
			}
		}
	}
	for _, e := range p.entries(setting) {
		if e.Layer > LayerSystem && !slices.Contains(allowed, e.Value) {
			return pinned(setting, e.Origin, pin)
		}
	}
	// What no layer changed and is gone was taken out by a program.
	in := p.values(setting)
	for _, v := range system {
		if !slices.Contains(in, v) {
			return pinned(setting, Origin{File: originProgram}, pin)
		}
	}
	return nil
}

func pinned(setting string, changed, pin Origin) error {
	return diag.New(diag.PolicyFinal,
		fmt.Sprintf("%s: %s is pinned by %s", changed.place(), setting, pin.place()),
		"leave the setting as the system has it, or ask the administrator")
}
