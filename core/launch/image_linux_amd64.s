// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The walker of launch lists; program_linux.go describes the list. It uses no
// stack and no memory but the data segment, and is independent of where it
// lies: it runs as the entry point of the executables that imageFile makes.
//
// An entry is 10 words: nr, flags, six arguments, store, jump. Bit 8+n of the
// flags says that argument n is the address of the value.
// R12 is the current entry. System calls clobber only AX, CX and R11.
TEXT ·image(SB), NOSPLIT|NOFRAME, $0
	MOVQ $0x410040, R12 // dataAddress + headerSize

next:
	MOVQ 8(R12), BX
	MOVQ 16(R12), DI
	BTQ  $8, BX
	JCC  2(PC)
	MOVQ (DI), DI
	MOVQ 24(R12), SI
	BTQ  $9, BX
	JCC  2(PC)
	MOVQ (SI), SI
	MOVQ 32(R12), DX
	BTQ  $10, BX
	JCC  2(PC)
	MOVQ (DX), DX
	MOVQ 40(R12), R10
	BTQ  $11, BX
	JCC  2(PC)
	MOVQ (R10), R10
	MOVQ 48(R12), R8
	BTQ  $12, BX
	JCC  2(PC)
	MOVQ (R8), R8
	MOVQ 56(R12), R9
	BTQ  $13, BX
	JCC  2(PC)
	MOVQ (R9), R9
	MOVQ 0(R12), AX
	CMPQ AX, $-1
	JEQ  check
	CMPQ AX, $-2
	JEQ  copy
	CMPQ AX, $-3
	JEQ  mark
	SYSCALL
	CMPQ AX, $-4095
	JCC  failed
	MOVQ 72(R12), BX
	TESTQ BX, BX
	JEQ  store
	TESTL $4, 8(R12) // jump belongs to the error
	JNE  store
	TESTQ AX, AX
	JNE  store
	MOVQ BX, R12 // a forked child stores nothing: it may share the memory
	JMP  next

store:
	MOVQ 64(R12), BX
	TESTQ BX, BX
	JEQ  advance
	MOVQ AX, (BX)

advance:
	ADDQ $80, R12
	JMP  next

check: // *arg0 & arg1 == arg2, else ESTALE
	MOVQ (DI), AX
	ANDQ SI, AX
	CMPQ AX, DX
	JEQ  advance
	MOVQ $-116, AX
	JMP  failed

copy: // *arg1 = *arg0
	MOVQ (DI), AX
	MOVQ AX, (SI)
	JMP  advance

mark: // *arg0 |= arg1
	ORQ  SI, (DI)
	JMP  advance

failed:
	MOVQ 8(R12), BX
	TESTQ $1, BX // ignore errors
	JNE  advance
	TESTQ $4, BX // jump on an error
	JNE  jump
	TESTQ $2, BX // try again when interrupted
	JEQ  report
	CMPQ AX, $-4
	JEQ  next

report: // write {errno, entry} to the report descriptor and end
	NEGQ AX
	MOVQ $0x410000, SI
	MOVQ 0(SI), DI
	MOVQ AX, 8(SI)
	MOVQ R12, 16(SI)
	ADDQ $8, SI
	MOVQ $16, DX
	MOVL $1, AX
	SYSCALL
	MOVL $1, DI
	MOVL $231, AX
	SYSCALL

jump:
	MOVQ 72(R12), R12
	JMP  next
	BYTE $0xca; BYTE $0x15; BYTE $0x50; BYTE $0x11; BYTE $0x45; BYTE $0x4e; BYTE $0x44; BYTE $0x00

TEXT ·imageStart(SB), NOSPLIT, $0-8
	LEAQ ·image(SB), AX
	MOVQ AX, ret+0(FP)
	RET
