// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The walker of launch lists, as image_linux_amd64.s. R19 is the current entry.
// System calls change only R0.
TEXT ·image(SB), NOSPLIT|NOFRAME, $0
	MOVD $0x410040, R19 // dataAddress + headerSize

next:
	MOVD 8(R19), R10
	MOVD 16(R19), R0
	TBZ  $8, R10, 2(PC)
	MOVD (R0), R0
	MOVD 24(R19), R1
	TBZ  $9, R10, 2(PC)
	MOVD (R1), R1
	MOVD 32(R19), R2
	TBZ  $10, R10, 2(PC)
	MOVD (R2), R2
	MOVD 40(R19), R3
	TBZ  $11, R10, 2(PC)
	MOVD (R3), R3
	MOVD 48(R19), R4
	TBZ  $12, R10, 2(PC)
	MOVD (R4), R4
	MOVD 56(R19), R5
	TBZ  $13, R10, 2(PC)
	MOVD (R5), R5
	MOVD 0(R19), R8
	CMN  $1, R8
	BEQ  check
	CMN  $2, R8
	BEQ  copy
	CMN  $3, R8
	BEQ  mark
	SVC
	CMN  $4095, R0
	BHS  failed
	MOVD 72(R19), R9
	CBZ  R9, store
	MOVD 8(R19), R10
	TBNZ $2, R10, store // jump belongs to the error
	CBNZ R0, store
	MOVD R9, R19 // a forked child stores nothing: it may share the memory
	B    next

store:
	MOVD 64(R19), R9
	CBZ  R9, advance
	MOVD R0, (R9)

advance:
	ADD $80, R19
	B   next

check: // *arg0 & arg1 == arg2, else ESTALE
	MOVD (R0), R9
	AND  R1, R9
	MOVD $-116, R0
	CMP  R2, R9
	BEQ  advance
	B    failed

copy: // *arg1 = *arg0
	MOVD (R0), R9
	MOVD R9, (R1)
	B    advance

mark: // *arg0 |= arg1
	MOVD (R0), R9
	ORR  R1, R9
	MOVD R9, (R0)
	B    advance

failed:
	MOVD 8(R19), R10
	TBNZ $0, R10, advance // ignore errors
	TBNZ $2, R10, jump    // jump on an error
	TBZ  $1, R10, report  // try again when interrupted
	CMN  $4, R0
	BEQ  next

report: // write {errno, entry} to the report descriptor and end
	NEG  R0, R9
	MOVD $0x410000, R1
	MOVD 0(R1), R0
	MOVD R9, 8(R1)
	MOVD R19, 16(R1)
	ADD  $8, R1
	MOVD $16, R2
	MOVD $64, R8
	SVC
	MOVD $1, R0
	MOVD $94, R8
	SVC

jump:
	MOVD 72(R19), R19
	B    next
	WORD $0x115015ca
	WORD $0x00444e45

TEXT ·imageStart(SB), NOSPLIT, $0-8
	MOVD $·image(SB), R0
	MOVD R0, ret+0(FP)
	RET
