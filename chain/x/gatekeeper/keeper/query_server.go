package keeper

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/gatekeeper/types"
)

const maxPage = 100

// QueryServer answers the module's queries.
type QueryServer struct{ Keeper *Keeper }

var _ types.QueryServer = QueryServer{}

// Set implements types.QueryServer.
func (s QueryServer) Set(ctx context.Context, _ *types.QuerySetRequest) (*types.QuerySetResponse, error) {
	set, err := s.Keeper.set.Get(ctx)
	if err != nil {
		return nil, err
	}
	previous, err := newest(ctx, s.Keeper.previousSet)
	return &types.QuerySetResponse{Set: &set, Previous: previous}, err
}

// Generation implements types.QueryServer.
func (s QueryServer) Generation(ctx context.Context, _ *types.QueryGenerationRequest) (*types.QueryGenerationResponse, error) {
	now, err := s.Keeper.keysNow(sdk.UnwrapSDKContext(ctx))
	if err != nil {
		return nil, err
	}
	return &types.QueryGenerationResponse{Generation: now.Generation, RetryHeight: now.RetryHeight()}, nil
}

// Roster implements types.QueryServer.
func (s QueryServer) Roster(ctx context.Context, _ *types.QueryRosterRequest) (*types.QueryRosterResponse, error) {
	inForce, err := newest(ctx, s.Keeper.inForce)
	if err != nil {
		return nil, err
	}
	next, err := newest(ctx, s.Keeper.roster)
	if err != nil {
		return nil, err
	}
	if types.SameRoster(inForce, next) {
		next = nil
	}
	return &types.QueryRosterResponse{InForce: inForce, Next: next}, nil
}

// Params implements types.QueryServer.
func (s QueryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	p, err := s.Keeper.keyParams(ctx)
	return &types.QueryParamsResponse{Params: p}, err
}

// ClusterKey implements types.QueryServer.
func (s QueryServer) ClusterKey(ctx context.Context, r *types.QueryClusterKeyRequest) (*types.QueryClusterKeyResponse, error) {
	k, err := s.Keeper.ClusterKey(ctx, r.Cluster)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, status.Errorf(codes.NotFound, "cluster %d has no input key yet: a quorum of its members must announce one", r.Cluster)
	}
	return &types.QueryClusterKeyResponse{Key: k}, nil
}

// KeyRequests implements types.QueryServer.
func (s QueryServer) KeyRequests(ctx context.Context, r *types.QueryKeyRequestsRequest) (*types.QueryKeyRequestsResponse, error) {
	limit := int(r.Limit)
	if limit == 0 || limit > maxPage {
		limit = maxPage
	}
	res := &types.QueryKeyRequestsResponse{}
	err := s.Keeper.byHeight.Walk(ctx, new(collections.Range[timeKey]).Descending(), func(t timeKey, _ bool) (bool, error) {
		req, err := s.Keeper.requests.Get(ctx, collections.Join3(t.K2(), t.K3(), t.K4()))
		if err != nil {
			return true, err
		}
		res.Requests = append(res.Requests, &req)
		return len(res.Requests) == limit, nil
	})
	return res, err
}
