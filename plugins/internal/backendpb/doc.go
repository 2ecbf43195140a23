// SPDX-License-Identifier: Apache-2.0

// Package backendpb is generated from plugins/protocol/caisson/backend/v1/backend.proto.
// After a change there run
//
//	go test ./plugins/protocol -run TestGenerated -update
package backendpb
