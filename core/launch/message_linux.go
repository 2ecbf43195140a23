// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Messages of a launch list to the supervisor, one per packet. The id of a
// process is one word, a failure is two (the walker writes it); all others
// begin with one of these words and are longer.
const (
	msgReady    = 0x7964616572 // process 1: the sandbox is made
	msgListener = 0x726e7473696c
	msgAttest   = 0x747365747461
	msgReopened = 0x656e65706f6572
	msgLess     = 0x7373656c   // a list of lessen: the mounts of one command
	msgPort     = 0x74726f70   // process 1: sockets that listen inside for the supervisor
	msgBorn     = 0x6e726f62   // the nursery: a command, and the number of its order
	msgStage    = 0x6567617473 // the stage of a wrapped command: what it could do
)

// sendDescriptors adds a sendmsg(2) of a message with descriptors, SCM_RIGHTS
// of unix(7). The cells are read when the entry is executed.
func (p *program) sendDescriptors(what string, socket int, message arg, size int, fds ...cell) {
	control := make([]byte, 16+8*((len(fds)+1)/2)+8)
	le := binary.LittleEndian
	le.PutUint64(control, uint64(16+4*len(fds)))
	le.PutUint32(control[8:], unix.SOL_SOCKET)
	le.PutUint32(control[12:], unix.SCM_RIGHTS)
	at := p.bytes(control)
	for i, fd := range fds {
		// Ascending order: the upper half of each word is the next one's place.
		p.call("place a descriptor in the message", nrCopy, fd.at, at.plus(16+4*i))
	}
	iov := p.words(message, num(size))
	header := p.words(num(0), num(0), iov, num(1), at, num(16+8*((len(fds)+1)/2)), num(0))
	p.call(what, unix.SYS_SENDMSG, num(socket), header, num(unix.MSG_NOSIGNAL))
}
