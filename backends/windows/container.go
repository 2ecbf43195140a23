// SPDX-License-Identifier: Apache-2.0

package windows

import "encoding/binary"

// emptyEnvironment is a specification of CreateProcessSecurityEnvironment that
// allows nothing: a FlatBuffer with the identifier PSEC whose one table has the
// version 1.0, a structure of two 16-bit numbers, as its first field. The schema
// is ProcessSecurityEnvironment.fbs of the project MXC of Microsoft.
func emptyEnvironment() []byte {
	const vtable, table = 8, 16
	b := binary.LittleEndian.AppendUint32(nil, table) // where the root is
	b = append(b, "PSEC"...)
	b = binary.LittleEndian.AppendUint16(b, 6) // size of the vtable
	b = binary.LittleEndian.AppendUint16(b, 8) // size of the table
	b = binary.LittleEndian.AppendUint16(b, 4) // where in it the version is
	b = append(b, 0, 0)                        // up to the alignment of the table
	b = binary.LittleEndian.AppendUint32(b, table-vtable)
	return append(b, 1, 0, 0, 0) // 1.0
}
