// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/plugins/internal/backendpb"
	"github.com/caisson-sandbox/caisson/plugins/protocol"
)

// served is the backend as go-plugin wants it.
type served struct {
	goplugin.NetRPCUnsupportedPlugin
	backend backend.Backend
}

func (s *served) GRPCServer(_ *goplugin.GRPCBroker, g *grpc.Server) error {
	backendpb.RegisterBackendServer(g, &server{backend: s.backend})
	return nil
}

func (*served) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("the sdk serves backends; plugins/host calls them")
}

// server translates calls. What goes wrong on the way is an error of gRPC; what
// the backend refuses is an answer.
type server struct {
	backendpb.UnimplementedBackendServer
	backend backend.Backend
}

func (s *server) Describe(context.Context, *backendpb.DescribeRequest) (*backendpb.DescribeResponse, error) {
	text, err := backend.EncodeInfo(s.backend.Info())
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &backendpb.DescribeResponse{Minor: protocol.Minor, Info: text}, nil
}

func (s *server) Probe(ctx context.Context, _ *backendpb.ProbeRequest) (*backendpb.ProbeResponse, error) {
	report, err := s.backend.Probe(ctx)
	if err != nil {
		text, err := refusal(err)
		return &backendpb.ProbeResponse{Answer: &backendpb.ProbeResponse_Refusal{Refusal: text}}, err
	}
	text, err := backend.EncodeReport(report)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &backendpb.ProbeResponse{Answer: &backendpb.ProbeResponse_Report{Report: text}}, nil
}

func (s *server) Prepare(ctx context.Context, r *backendpb.PrepareRequest) (*backendpb.PrepareResponse, error) {
	resolved, err := policy.DecodeResolved(r.GetPolicy())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	made, err := s.backend.Prepare(ctx, backend.Request{Policy: resolved, Facts: r.GetFacts()})
	if err != nil {
		text, err := refusal(err)
		return &backendpb.PrepareResponse{Answer: &backendpb.PrepareResponse_Refusal{Refusal: text}}, err
	}
	text, err := plan.Encode(made)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &backendpb.PrepareResponse{Answer: &backendpb.PrepareResponse_Plan{Plan: text}}, nil
}

func refusal(err error) ([]byte, error) {
	text, failed := backend.EncodeRefusal(err)
	if failed != nil {
		return nil, status.Error(codes.Internal, failed.Error())
	}
	return text, nil
}
