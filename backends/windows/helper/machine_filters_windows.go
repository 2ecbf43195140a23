// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/caisson-sandbox/caisson/backends/windows/internal/access"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/backends/windows/internal/winapi"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// keyOf derives the key of an object of the filtering platform from what it is
// for, so that it is found again without a list.
func keyOf(install, what string, n int) winapi.GUID {
	sum := sha256.Sum256(fmt.Appendf(nil, "caisson/%s/%s/%d", install, what, n))
	k := winapi.GUID{Data1: binary.BigEndian.Uint32(sum[:]), Data2: binary.BigEndian.Uint16(sum[4:]), Data3: binary.BigEndian.Uint16(sum[6:])}
	copy(k.Data4[:], sum[8:])
	k.Data3 = k.Data3&0x0fff | 0x5000 // a version that is no other's
	k.Data4[0] = k.Data4[0]&0x3f | 0x80
	return k
}

func ownerKeys(install string) (provider, sublayer winapi.GUID) {
	return keyOf(install, "provider", 0), keyOf(install, "sublayer", 0)
}

// withEngine runs changes in one transaction.
func withEngine(change func(e *winapi.Engine) error) (err error) {
	e, err := winapi.OpenEngine()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return e.Within(func() error { return change(e) })
}

// AddFilters makes all filters of an account in one transaction.
func (Machine) AddFilters(install, account, sid string, filters []plan.WindowsFilter) error {
	// The platform asks for right 1, FWP_ACTRL_MATCH_FILTER, when it looks
	// whether a filter is for a user.
	sd, err := winapi.SelfRelative("D:(A;;CC;;;" + sid + ")")
	if err != nil {
		return err
	}
	return withEngine(func(e *winapi.Engine) error {
		provider, sublayer := ownerKeys(install)
		if err := e.AddOwner(provider, sublayer, "caisson "+install); err != nil {
			return err
		}
		layers := winapi.LayerKeys()
		for n, f := range filters {
			b := winapi.Block{Key: keyOf(install, account, n), Layer: layers[f.Layer], Provider: provider, Sublayer: sublayer,
				Name: "caisson " + account + " " + f.Layer, SD: sd}
			for _, text := range f.If[1:] {
				c, err := installed.ParseCondition(text)
				if err != nil {
					return err
				}
				b.Conditions = append(b.Conditions, winapi.BlockCondition{Field: c.Field, Not: c.Not, Value: c.Value})
			}
			if err := e.AddBlock(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// Filters reads the filters of an account back.
func (Machine) Filters(install, account string) (list []Filter, err error) {
	names := map[winapi.GUID]string{}
	for name, key := range winapi.LayerKeys() {
		names[key] = name
	}
	err = withEngine(func(e *winapi.Engine) error {
		for n := range installed.MostFilters {
			layer, blocks, with, sd, ok, err := e.FilterAt(keyOf(install, account, n))
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			f := Filter{Layer: names[layer], Block: blocks, If: []string{}}
			for _, c := range with {
				one, user := c.Read()
				if user {
					f.SID = onlySID(sd)
					continue
				}
				text := installed.Condition{Field: one.Field, Not: one.Not, Value: one.Value}.String()
				if text == "" {
					f.Block = false // a condition that is not ours: it blocks less
				}
				f.If = append(f.If, text)
			}
			list = append(list, f)
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = ErrAbsent
	}
	return list, err
}

// onlySID gives the one SID that a descriptor of a filter admits, or "".
func onlySID(raw []byte) string {
	text, err := winapi.FromSelfRelative(raw)
	if err != nil {
		return ""
	}
	_, text, _ = strings.Cut(text, "D:")
	d, err := access.ParseDescriptor("D:" + text)
	if err != nil || len(d.DACL) != 1 || d.DACL[0].Kind != access.Allow {
		return ""
	}
	return string(d.DACL[0].SID)
}

// DeleteFilters removes the filters of an account, and what they belonged to
// where they were the last ones.
func (m Machine) DeleteFilters(install, account string) error {
	err := withEngine(func(e *winapi.Engine) error {
		for n := range installed.MostFilters {
			if err := e.DeleteFilter(keyOf(install, account, n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	provider, sublayer := ownerKeys(install)
	// Filters of other accounts keep both, which is no error of this one.
	_ = withEngine(func(e *winapi.Engine) error { return e.DeleteOwner(provider, sublayer) })
	return nil
}

// Connects tries the network as an account.
func (Machine) Connects(install, account, password string, port int) (Reached, error) {
	return connectsAs(install, account, password, port)
}
