// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/fleets/seccomp.json")

func TestFleetProfile(t *testing.T) {
	t.Parallel()
	const file = "../../../docs/fleets/seccomp.json"
	want, err := json.MarshalIndent(fleetProfile(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/fleets/seccomp.json is not what is generated; go test ./cmd/internal/docker -update writes it")
	}
}
