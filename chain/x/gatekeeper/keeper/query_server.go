package keeper

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

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
	return &types.QuerySetResponse{Set: &set}, nil
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
