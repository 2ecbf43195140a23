// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// compileProto returns the descriptor of a proto file below dir, comments included.
func compileProto(ctx context.Context, dir, name string) (*descriptorpb.FileDescriptorProto, error) {
	c := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{dir}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := c.Compile(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name, err)
	}
	return protodesc.ToFileDescriptorProto(protoreflect.FileDescriptor(files[0])), nil
}

// generate returns the files that the generators make of a descriptor, by base
// name. It needs no protoc: the generators are tools of go.mod.
func generate(ctx context.Context, file *descriptorpb.FileDescriptorProto) (map[string][]byte, error) {
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{file.GetName()},
		Parameter:      proto.String("paths=source_relative"),
		ProtoFile:      []*descriptorpb.FileDescriptorProto{file},
	}
	input, err := proto.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	made := map[string][]byte{}
	for _, tool := range []string{"protoc-gen-go", "protoc-gen-go-grpc"} {
		cmd := exec.CommandContext(ctx, "go", "tool", tool)
		cmd.Stdin = bytes.NewReader(input)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		output, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", tool, err, stderr.Bytes())
		}
		var response pluginpb.CodeGeneratorResponse
		if err := proto.Unmarshal(output, &response); err != nil {
			return nil, fmt.Errorf("%s: decode its answer: %w", tool, err)
		}
		if response.Error != nil {
			return nil, fmt.Errorf("%s: %s", tool, response.GetError())
		}
		for _, f := range response.File {
			made[path.Base(f.GetName())] = append([]byte(license), f.GetContent()...)
		}
	}
	return made, nil
}
