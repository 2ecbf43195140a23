// SPDX-License-Identifier: Apache-2.0

package launch

// Attempt is one thing that a command tried, as the supervisor saw it. It says
// what was asked for, and of connects how they ended; whether the policy refuses
// it is for others to judge. All text in it is the command's: any bytes, of any
// length that the kernel takes.
type Attempt struct {
	Source string // "broker": the supervisor answered; "trace": the kernel did
	Act    Act
	// Path is absolute, with the links resolved as far as it exists, as the
	// command saw it when it asked. Another process of the sandbox may have
	// changed the argument or the links before the kernel read them.
	Path  string
	Found bool // something is there, as seen inside
	// Address is "IP:PORT", of a connect or lookup of the internet families.
	Address string
	// Listening says of an Address on a loopback that something outside listens
	// on the port, which the command did not reach.
	Listening bool
}

// Act is what was tried.
type Act string

// The acts. Those from Write on change something.
const (
	ActRead    Act = "read"    // open for reading
	ActExecute Act = "execute" // execute a program
	ActLook    Act = "look"    // metadata, the target of a link, the way to something
	ActConnect Act = "connect" // to a socket
	ActLookup  Act = "lookup"  // send to a name server
	ActWrite   Act = "write"   // open for writing, or truncate
	ActCreate  Act = "create"  // make a file, directory, link, socket or device
	ActRemove  Act = "remove"  // remove or rename what is there
	ActChange  Act = "change"  // mode, owner, times, attributes
)
