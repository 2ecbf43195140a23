// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

var update = flag.Bool("update", false, "write the generated code and, where nothing is broken, the released descriptors")

const (
	protoFile = "caisson/backend/v1/backend.proto"
	generated = "../internal/backendpb"
	license   = "// SPDX-License-Identifier: Apache-2.0\n\n"
)

func compiled(t *testing.T) *descriptorpb.FileDescriptorProto {
	t.Helper()
	file, err := compileProto(t.Context(), ".", protoFile)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestGenerated compares the committed code with what the generators make now.
func TestGenerated(t *testing.T) {
	t.Parallel()
	made, err := generate(t.Context(), compiled(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 2 {
		t.Errorf("%d files were made, want 2", len(made))
	}
	for name, want := range made {
		file := filepath.Join(generated, name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of step (%v); run go test ./plugins/protocol -run TestGenerated -update", file, err)
		}
	}
}

// TestVersion compares the constants with what the proto file says of itself.
func TestVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(protoFile)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^// Protocol version (\d+)\.(\d+)\.`).FindSubmatch(text)
	if m == nil {
		t.Fatal("the proto file does not name its version")
	}
	if string(m[1]) != strconv.Itoa(Major) || string(m[2]) != strconv.Itoa(Minor) {
		t.Errorf("the proto file is version %s.%s, the package %d.%d", m[1], m[2], Major, Minor)
	}
	file := compiled(t)
	if got := file.GetPackage() + "." + file.GetService()[0].GetName(); got != Service {
		t.Errorf("the service is %s, the package says %s", got, Service)
	}
}

// released reads the descriptors of what was released.
func released(t *testing.T) *descriptorpb.FileDescriptorProto {
	t.Helper()
	data, err := os.ReadFile("released.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil || len(set.File) != 1 {
		t.Fatalf("released.binpb: %d files, %v", len(set.File), err)
	}
	return set.File[0]
}
