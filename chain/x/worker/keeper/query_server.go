package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	"github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/wire"
)

const maxPage = 100

// QueryServer answers the module's queries.
type QueryServer struct{ Keeper *Keeper }

var _ types.QueryServer = QueryServer{}

// Params implements types.QueryServer.
func (s QueryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	p, err := s.Keeper.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: &p}, nil
}

// Worker implements types.QueryServer.
func (s QueryServer) Worker(ctx context.Context, r *types.QueryWorkerRequest) (*types.QueryWorkerResponse, error) {
	ref := &wire.WorkerRef{Operator: r.Operator, Slot: r.Slot}
	w, err := s.Keeper.Worker(ctx, ref)
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, notRegistered(ref)
	}
	return &types.QueryWorkerResponse{Worker: w}, nil
}

// Workers implements types.QueryServer.
func (s QueryServer) Workers(ctx context.Context, r *types.QueryWorkersRequest) (*types.QueryWorkersResponse, error) {
	limit := int(r.Limit)
	if limit == 0 || limit > maxPage {
		limit = maxPage
	}
	var from collections.Ranger[key]
	if r.AfterOperator != "" {
		from = new(collections.Range[key]).StartExclusive(collections.Join(r.AfterOperator, r.AfterSlot))
	}
	res := &types.QueryWorkersResponse{}
	err := s.Keeper.workers.Walk(ctx, from, func(_ key, w wire.Worker) (bool, error) {
		res.Workers = append(res.Workers, &w)
		return len(res.Workers) == limit, nil
	})
	return res, err
}

// Evidence implements types.QueryServer.
func (s QueryServer) Evidence(ctx context.Context, r *types.QueryEvidenceRequest) (*types.QueryEvidenceResponse, error) {
	ref := &wire.WorkerRef{Operator: r.Operator, Slot: r.Slot}
	e, err := s.Keeper.evidence.Get(ctx, keyOf(ref))
	if errors.Is(err, collections.ErrNotFound) {
		return nil, notRegistered(ref)
	}
	if err != nil {
		return nil, err
	}
	return &types.QueryEvidenceResponse{Evidence: &e}, nil
}

func notRegistered(ref *wire.WorkerRef) error {
	return status.Errorf(codes.NotFound, "worker %s is not registered", ref.Name())
}
