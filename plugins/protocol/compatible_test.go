// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/caisson-sandbox/caisson/plugins/internal/backendpb"
)

// breaks lists what in now would break who was built against old.
func breaks(old, now *descriptorpb.FileDescriptorProto) []string {
	var list []string
	complain := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if old.GetPackage() != now.GetPackage() || old.GetSyntax() != now.GetSyntax() {
		complain("the package or syntax changed")
	}
	for _, m := range old.MessageType {
		i := slices.IndexFunc(now.MessageType, func(n *descriptorpb.DescriptorProto) bool { return n.GetName() == m.GetName() })
		if i < 0 {
			complain("message %s is gone", m.GetName())
			continue
		}
		list = append(list, fieldBreaks(m, now.MessageType[i])...)
	}
	for _, s := range old.Service {
		i := slices.IndexFunc(now.Service, func(n *descriptorpb.ServiceDescriptorProto) bool { return n.GetName() == s.GetName() })
		if i < 0 {
			complain("service %s is gone", s.GetName())
			continue
		}
		for _, m := range s.Method {
			if !slices.ContainsFunc(now.Service[i].Method, func(n *descriptorpb.MethodDescriptorProto) bool { return proto.Equal(m, n) }) {
				complain("method %s is gone or has another type", m.GetName())
			}
		}
	}
	return list
}

func fieldBreaks(old, now *descriptorpb.DescriptorProto) []string {
	var list []string
	union := func(m *descriptorpb.DescriptorProto, f *descriptorpb.FieldDescriptorProto) string {
		if f.OneofIndex == nil {
			return ""
		}
		return m.OneofDecl[f.GetOneofIndex()].GetName()
	}
	for _, f := range old.Field {
		i := slices.IndexFunc(now.Field, func(n *descriptorpb.FieldDescriptorProto) bool { return n.GetNumber() == f.GetNumber() })
		if i < 0 {
			list = append(list, fmt.Sprintf("field %d of %s is gone", f.GetNumber(), old.GetName()))
			continue
		}
		n := now.Field[i]
		if f.GetName() != n.GetName() || f.GetType() != n.GetType() || f.GetTypeName() != n.GetTypeName() ||
			f.GetLabel() != n.GetLabel() || union(old, f) != union(now, n) {
			list = append(list, fmt.Sprintf("field %d of %s was %s %s and is %s %s", f.GetNumber(), old.GetName(), f.GetType(), f.GetName(), n.GetType(), n.GetName()))
		}
	}
	return list
}

// TestCompatible refuses what would break released hosts and backends. It looks
// at what is linked, not only at the file.
func TestCompatible(t *testing.T) {
	t.Parallel()
	now := protodesc.ToFileDescriptorProto(backendpb.File_caisson_backend_v1_backend_proto)
	if *update {
		if old, err := os.ReadFile("released.binpb"); err == nil && len(old) > 0 {
			if list := breaks(released(t), now); len(list) > 0 {
				t.Fatalf("not written, it would break: %s", strings.Join(list, "; "))
			}
		}
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{now}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("released.binpb", data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, complaint := range breaks(released(t), now) {
		t.Error(complaint)
	}
}

// TestCompatibleFinds shows that each kind of break is found, and that growth is none.
func TestCompatibleFinds(t *testing.T) {
	t.Parallel()
	message := func(f *descriptorpb.FileDescriptorProto, name string) *descriptorpb.DescriptorProto {
		i := slices.IndexFunc(f.MessageType, func(m *descriptorpb.DescriptorProto) bool { return m.GetName() == name })
		return f.MessageType[i]
	}
	for _, c := range []struct {
		name   string
		change func(*descriptorpb.FileDescriptorProto)
		want   int
	}{
		{"nothing", func(*descriptorpb.FileDescriptorProto) {}, 0},
		{"a new field", func(f *descriptorpb.FileDescriptorProto) {
			m := message(f, "DescribeResponse")
			m.Field = append(m.Field, &descriptorpb.FieldDescriptorProto{Name: proto.String("more"), Number: proto.Int32(9)})
		}, 0},
		{"a new method", func(f *descriptorpb.FileDescriptorProto) {
			f.Service[0].Method = append(f.Service[0].Method, &descriptorpb.MethodDescriptorProto{Name: proto.String("More")})
		}, 0},
		{"renumbered", func(f *descriptorpb.FileDescriptorProto) {
			message(f, "PrepareRequest").Field[0].Number = proto.Int32(7)
		}, 1},
		{"retyped", func(f *descriptorpb.FileDescriptorProto) {
			message(f, "PrepareRequest").Field[0].Type = descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
		}, 1},
		{"repeated", func(f *descriptorpb.FileDescriptorProto) {
			message(f, "PrepareRequest").Field[0].Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}, 1},
		{"renamed", func(f *descriptorpb.FileDescriptorProto) {
			message(f, "PrepareRequest").Field[0].Name = proto.String("rules")
		}, 1},
		{"removed", func(f *descriptorpb.FileDescriptorProto) { message(f, "PrepareRequest").Field = nil }, 2},
		{"out of its union", func(f *descriptorpb.FileDescriptorProto) { message(f, "ProbeResponse").Field[0].OneofIndex = nil }, 1},
		{"a message gone", func(f *descriptorpb.FileDescriptorProto) { f.MessageType = f.MessageType[1:] }, 1},
		{"a method gone", func(f *descriptorpb.FileDescriptorProto) { f.Service[0].Method = f.Service[0].Method[1:] }, 1},
		{"a method streams", func(f *descriptorpb.FileDescriptorProto) {
			f.Service[0].Method[0].ServerStreaming = proto.Bool(true)
		}, 1},
		{"the service gone", func(f *descriptorpb.FileDescriptorProto) { f.Service = nil }, 1},
		{"another package", func(f *descriptorpb.FileDescriptorProto) { f.Package = proto.String("caisson.backend.v2") }, 1},
	} {
		old := released(t)
		now := proto.Clone(old).(*descriptorpb.FileDescriptorProto)
		c.change(now)
		if got := breaks(old, now); len(got) != c.want {
			t.Errorf("%s: found %q, want %d", c.name, got, c.want)
		}
	}
}
