// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Engine is an open session with the Windows Filtering Platform.
type Engine struct{ handle windows.Handle }

// OpenEngine opens a session.
func OpenEngine() (*Engine, error) {
	const authnDefault = 0xffffffff // RPC_C_AUTHN_DEFAULT
	var h windows.Handle
	if code := FwpmEngineOpen(nil, authnDefault, 0, nil, &h); code != 0 {
		return nil, Code("open the filtering platform", code)
	}
	return &Engine{h}, nil
}

// Close ends the session; a transaction that is open is undone.
func (e *Engine) Close() error {
	return Code("close the filtering platform", FwpmEngineClose(e.handle))
}

// Within runs changes in one transaction: all of them stand, or none.
func (e *Engine) Within(change func() error) error {
	if code := FwpmTransactionBegin(e.handle, 0); code != 0 {
		return Code("begin a transaction", code)
	}
	if err := change(); err != nil {
		FwpmTransactionAbort(e.handle)
		return err
	}
	return Code("commit a transaction", FwpmTransactionCommit(e.handle))
}

// AddOwner adds the provider and the sublayer that filters belong to, both
// persistent; what is there stays. The sublayer has the highest weight.
func (e *Engine) AddOwner(provider, sublayer GUID, name string) error {
	n, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	p := Provider{Key: provider, Display: DisplayData{Name: n}, Flags: FwpmPersistent}
	if code := FwpmProviderAdd(e.handle, &p, nil); code != 0 && code != FwpAlreadyExists {
		return Code("add a provider", code)
	}
	s := Sublayer{Key: sublayer, Display: DisplayData{Name: n}, Flags: FwpmPersistent, Provider: &provider, Weight: 0xffff}
	if code := FwpmSubLayerAdd(e.handle, &s, nil); code != 0 && code != FwpAlreadyExists {
		return Code("add a sublayer", code)
	}
	return nil
}

// Block says what one filter blocks: everything of the users that sd admits, at
// a layer, for which all conditions hold.
type Block struct {
	Key, Layer, Provider, Sublayer GUID
	Name                           string
	SD                             []byte // self-relative, names the user with right 1
	Conditions                     []BlockCondition
}

// AddBlock adds a persistent filter that no other sublayer can overrule.
func (e *Engine) AddBlock(b Block) error {
	n, err := windows.UTF16PtrFromString(b.Name)
	if err != nil {
		return err
	}
	keys := ConditionKeys()
	// The union holds a pointer as a number: what it points to must not move.
	var pin runtime.Pinner
	defer pin.Unpin()
	blob := &ByteBlob{Size: uint32(len(b.SD)), Data: &b.SD[0]}
	pin.Pin(blob)
	pin.Pin(blob.Data)
	conditions := []Condition{{Field: keys["user"], Match: FwpMatchEqual, Value: Value{FwpSecurityDescriptor, uintptr(unsafe.Pointer(blob))}}}
	for _, one := range b.Conditions {
		c, err := one.condition()
		if err != nil {
			return err
		}
		conditions = append(conditions, c)
	}
	f := Filter{
		Key: b.Key, Display: DisplayData{Name: n}, Flags: FwpmPersistent | FwpmClearActionRight, Provider: &b.Provider,
		Layer: b.Layer, Sublayer: b.Sublayer, Weight: Value{FwpUint8, 15},
		NumConditions: uint32(len(conditions)), Conditions: &conditions[0], Action: Action{Type: FwpActionBlock},
	}
	var id uint64
	code := FwpmFilterAdd(e.handle, &f, nil, &id)
	return Code(fmt.Sprintf("add the filter %s", b.Name), code)
}

// FilterAt reads a filter back; ok is false where there is none.
func (e *Engine) FilterAt(key GUID) (layer GUID, blocks bool, conditions []Condition, sd []byte, ok bool, err error) {
	var f *Filter
	if code := FwpmFilterGet(e.handle, &key, &f); code == FwpFilterNotFound {
		return layer, false, nil, nil, false, nil
	} else if code != 0 {
		return layer, false, nil, nil, false, Code("read a filter", code)
	}
	defer FwpmFreeMemory(&f)
	layer, blocks = f.Layer, f.Action.Type == FwpActionBlock && f.Flags&FwpmClearActionRight != 0
	for _, c := range unsafe.Slice(f.Conditions, f.NumConditions) {
		if c.Value.Type == FwpSecurityDescriptor {
			blob := *(**ByteBlob)(unsafe.Pointer(&c.Value.Value))
			sd = append([]byte{}, unsafe.Slice(blob.Data, blob.Size)...)
		}
		conditions = append(conditions, c)
	}
	return layer, blocks, conditions, sd, true, nil
}
