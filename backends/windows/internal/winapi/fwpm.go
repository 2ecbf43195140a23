// SPDX-License-Identifier: Apache-2.0

package winapi

// ByteBlob is FWP_BYTE_BLOB of fwptypes.h.
type ByteBlob struct {
	Size uint32
	Data *byte
}

// Value is FWP_VALUE0 and FWP_CONDITION_VALUE0 of fwptypes.h: a type and a
// union of numbers and pointers.
type Value struct {
	Type  uint32
	Value uintptr
}

// Types of values, FWP_DATA_TYPE.
const (
	FwpEmpty              = 0
	FwpUint8              = 1
	FwpUint16             = 2
	FwpUint32             = 3
	FwpUint64             = 4
	FwpSecurityDescriptor = 14
)

// How a condition compares, FWP_MATCH_TYPE.
const (
	FwpMatchEqual       = 0
	FwpMatchFlagsAnySet = 7
	FwpMatchNotEqual    = 10
)

// What a filter does, FWP_ACTION_TYPE.
const (
	FwpActionBlock  = 0x1001
	FwpActionPermit = 0x1002
)

// Flags of objects and filters.
const (
	FwpmPersistent       = 0x1
	FwpmClearActionRight = 0x8

	// FwpRawEndpoint is FWP_CONDITION_FLAG_IS_RAW_ENDPOINT.
	FwpRawEndpoint = 0x10
)

// Results of the functions, fwptypes.h.
const (
	FwpFilterNotFound   = 0x80320003
	FwpProviderNotFound = 0x80320005
	FwpSublayerNotFound = 0x80320007
	FwpAlreadyExists    = 0x80320009
)

// DisplayData is FWPM_DISPLAY_DATA0 of fwpmtypes.h, as are those that follow.
type DisplayData struct {
	Name        *uint16
	Description *uint16
}

// Session is FWPM_SESSION0.
type Session struct {
	Key        GUID
	Display    DisplayData
	Flags      uint32
	Timeout    uint32
	ProcessID  uint32
	SID        uintptr
	Username   *uint16
	KernelMode int32
}

// Provider is FWPM_PROVIDER0.
type Provider struct {
	Key     GUID
	Display DisplayData
	Flags   uint32
	Data    ByteBlob
	Service *uint16
}

// Sublayer is FWPM_SUBLAYER0.
type Sublayer struct {
	Key      GUID
	Display  DisplayData
	Flags    uint32
	Provider *GUID
	Data     ByteBlob
	Weight   uint16
}

// Condition is FWPM_FILTER_CONDITION0.
type Condition struct {
	Field GUID
	Match uint32
	Value Value
}

// Action is FWPM_ACTION0.
type Action struct {
	Type   uint32
	Filter GUID
}

// Filter is FWPM_FILTER0. The union of a context and a key is 16 bytes that
// begin at a multiple of 8.
type Filter struct {
	Key             GUID
	Display         DisplayData
	Flags           uint32
	Provider        *GUID
	Data            ByteBlob
	Layer           GUID
	Sublayer        GUID
	Weight          Value
	NumConditions   uint32
	Conditions      *Condition
	Action          Action
	Context         [2]uint64
	Reserved        *GUID
	ID              uint64
	EffectiveWeight Value
}

// LayerKeys are the keys of the layers, by the names that plans use.
func LayerKeys() map[string]GUID {
	return map[string]GUID{
		"ALE_AUTH_CONNECT_V4":        {0xc38d57d1, 0x05a7, 0x4c33, [8]byte{0x90, 0x4f, 0x7f, 0xbc, 0xee, 0xe6, 0x0e, 0x82}},
		"ALE_AUTH_CONNECT_V6":        {0x4a72393b, 0x319f, 0x44bc, [8]byte{0x84, 0xc3, 0xba, 0x54, 0xdc, 0xb3, 0xb6, 0xb4}},
		"ALE_AUTH_RECV_ACCEPT_V4":    {0xe1cd9fe7, 0xf4b5, 0x4273, [8]byte{0x96, 0xc0, 0x59, 0x2e, 0x48, 0x7b, 0x86, 0x50}},
		"ALE_AUTH_RECV_ACCEPT_V6":    {0xa3b42c97, 0x9f04, 0x4672, [8]byte{0xb8, 0x7e, 0xce, 0xe9, 0xc4, 0x83, 0x25, 0x7f}},
		"ALE_AUTH_LISTEN_V4":         {0x88bb5dad, 0x76d7, 0x4227, [8]byte{0x9c, 0x71, 0xdf, 0x0a, 0x3e, 0xd7, 0xbe, 0x7e}},
		"ALE_AUTH_LISTEN_V6":         {0x7ac9de24, 0x17dd, 0x4814, [8]byte{0xb4, 0xbd, 0xa9, 0xfb, 0xc9, 0x5a, 0x32, 0x1b}},
		"ALE_RESOURCE_ASSIGNMENT_V4": {0x1247d66d, 0x0b60, 0x4a15, [8]byte{0x8d, 0x44, 0x71, 0x55, 0xd0, 0xf5, 0x3a, 0x0c}},
		"ALE_RESOURCE_ASSIGNMENT_V6": {0x55a650e1, 0x5f0a, 0x4eca, [8]byte{0xa6, 0x53, 0x88, 0xf5, 0x3b, 0x26, 0xaa, 0x8c}},
	}
}

// ConditionKeys are the keys of the conditions, by the names that plans use:
// FWPM_CONDITION_ALE_USER_ID, FWPM_CONDITION_IP_PROTOCOL, FWPM_CONDITION_FLAGS,
// FWPM_CONDITION_IP_REMOTE_ADDRESS, FWPM_CONDITION_IP_REMOTE_PORT.
func ConditionKeys() map[string]GUID {
	return map[string]GUID{
		"user":  {0xaf043a0a, 0xb34d, 0x4f86, [8]byte{0x97, 0x9c, 0xc9, 0x03, 0x71, 0xaf, 0x6e, 0x66}},
		"proto": {0x3971ef2b, 0x623e, 0x4f9a, [8]byte{0x8c, 0xb1, 0x6e, 0x79, 0xb8, 0x06, 0xb9, 0xa7}},
		"raddr": {0xb235ae9a, 0x1d64, 0x49b8, [8]byte{0xa4, 0x4c, 0x5f, 0xf3, 0xd9, 0x09, 0x50, 0x45}},
		"rport": {0xc35a604d, 0xd22b, 0x4e1a, [8]byte{0x91, 0xb4, 0x68, 0xf6, 0x74, 0xee, 0x67, 0x4b}},
		"raw":   {0x632ce23b, 0x5167, 0x435c, [8]byte{0x86, 0xd7, 0xe9, 0x03, 0x68, 0x4a, 0xa8, 0x0c}},
	}
}
