// SPDX-License-Identifier: Apache-2.0

// Package protocol is what caisson and a backend that is a program of its own
// agree on: the service in caisson/backend/v1/backend.proto, and the constants
// here. Programs in Go use plugins/sdk; this page and the proto file are for
// those in other languages.
//
// The backend is a program that is started without arguments. It speaks the
// handshake of hashicorp/go-plugin: the environment variable CookieKey must be
// CookieValue, else it says that it is no program for people and exits. It
// listens on a unix socket in the directory that PLUGIN_UNIX_SOCKET_DIR names,
// with mutual TLS: PLUGIN_CLIENT_CERT is the certificate of the one client, in
// PEM. Then it writes one line to its standard output:
//
//	1|1|unix|PATH OF THE SOCKET|grpc|CERTIFICATE
//
// where CERTIFICATE is the server's, DER in base64 without padding. It serves
// Backend and grpc.health.v1.Health (the service "plugin" is serving), and
// ends when its standard input ends, which it does when caisson is gone.
package protocol

import "time"

// The version of the protocol. Hosts and backends of one major version
// understand each other; a minor version only adds.
const (
	Major = 1
	Minor = 0
)

// Service is the full name of the service.
const Service = "caisson.backend.v1.Backend"

// The cookie of the handshake. It is no secret: it keeps people from starting
// a backend by hand.
const (
	CookieKey   = "CAISSON_BACKEND_COOKIE"
	CookieValue = "5f0b5a8e-caisson-backend-v1"
)

// ExecutablePrefix begins the file name of every backend: the backend NAME is
// caisson-backend-NAME, with .exe on Windows.
const ExecutablePrefix = "caisson-backend-"

// MaxMessage bounds a message in bytes, in both directions.
const MaxMessage = 1 << 20

// How long the host waits: for the line of the handshake, and for an answer.
const (
	StartTimeout    = 10 * time.Second
	DescribeTimeout = 2 * time.Second
	ProbeTimeout    = 2 * time.Second
	PrepareTimeout  = 5 * time.Second
)
