package keeper

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/wire"
)

const maxPage = 100

func page(limit uint32) int {
	if limit == 0 || limit > maxPage {
		return maxPage
	}
	return int(limit)
}

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

// Cluster implements types.QueryServer.
func (s QueryServer) Cluster(ctx context.Context, r *types.QueryClusterRequest) (*types.QueryClusterResponse, error) {
	c, err := get(ctx, s.Keeper.clusters, r.Id, "cluster %d does not exist", r.Id)
	if err != nil {
		return nil, err
	}
	h, err := s.Keeper.heads.Get(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	in, err := s.Keeper.inboxes.Get(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return &types.QueryClusterResponse{Cluster: c, Head: &h, Inbox: &in}, nil
}

// Clusters implements types.QueryServer.
func (s QueryServer) Clusters(ctx context.Context, r *types.QueryClustersRequest) (*types.QueryClustersResponse, error) {
	res, limit := &types.QueryClustersResponse{}, page(r.Limit)
	if r.Member != nil {
		return res, s.Keeper.clustersOf(ctx, r.Member, r.After, limit, res)
	}
	err := s.Keeper.clusters.Walk(ctx, new(collections.Range[uint64]).StartExclusive(r.After), func(_ uint64, c wire.Cluster) (bool, error) {
		res.Clusters = append(res.Clusters, &c)
		return len(res.Clusters) == limit, nil
	})
	return res, err
}

// clustersOf lists the clusters that a worker is a member of.
func (k *Keeper) clustersOf(ctx context.Context, w *wire.WorkerRef, after uint64, limit int, res *types.QueryClustersResponse) error {
	r := collections.NewSuperPrefixedTripleRange[string, uint32, uint64](w.Operator, w.Slot)
	return k.members.Walk(ctx, r, func(m memberKey, _ bool) (bool, error) {
		if m.K3() <= after {
			return false, nil
		}
		c, err := k.mustCluster(ctx, m.K3())
		res.Clusters = append(res.Clusters, c)
		return err != nil || len(res.Clusters) == limit, err
	})
}

// InboxItem implements types.QueryServer.
func (s QueryServer) InboxItem(ctx context.Context, r *types.QueryInboxItemRequest) (*types.QueryInboxItemResponse, error) {
	it, err := get(ctx, s.Keeper.items, collections.Join(r.Cluster, r.Index), "cluster %d has no inbox item %d", r.Cluster, r.Index)
	if err != nil {
		return nil, err
	}
	return &types.QueryInboxItemResponse{Item: it}, nil
}

// Batch implements types.QueryServer.
func (s QueryServer) Batch(ctx context.Context, r *types.QueryBatchRequest) (*types.QueryBatchResponse, error) {
	b, err := get(ctx, s.Keeper.batches, collections.Join(r.Cluster, r.Number), "cluster %d has no final batch %d", r.Cluster, r.Number)
	if err != nil {
		return nil, err
	}
	return &types.QueryBatchResponse{Batch: b}, nil
}

// Code implements types.QueryServer.
func (s QueryServer) Code(ctx context.Context, r *types.QueryCodeRequest) (*types.QueryCodeResponse, error) {
	c, err := get(ctx, s.Keeper.codes, r.Id, "code %x is not on the chain", r.Id)
	if err != nil {
		return nil, err
	}
	return &types.QueryCodeResponse{Code: c}, nil
}

// CodeBytes implements types.QueryServer.
func (s QueryServer) CodeBytes(ctx context.Context, r *types.QueryCodeBytesRequest) (*types.QueryCodeBytesResponse, error) {
	b, err := get(ctx, s.Keeper.packed, r.Id, "code %x is not on the chain", r.Id)
	if err != nil {
		return nil, err
	}
	return &types.QueryCodeBytesResponse{Packed: *b}, nil
}

// Contract implements types.QueryServer.
func (s QueryServer) Contract(ctx context.Context, r *types.QueryContractRequest) (*types.QueryContractResponse, error) {
	c, err := get(ctx, s.Keeper.contracts, collections.Join(r.Cluster, r.Address), "cluster %d has no contract %x", r.Cluster, r.Address)
	if err != nil {
		return nil, err
	}
	return &types.QueryContractResponse{Contract: c}, nil
}

// Contracts implements types.QueryServer.
func (s QueryServer) Contracts(ctx context.Context, r *types.QueryContractsRequest) (*types.QueryContractsResponse, error) {
	from := collections.NewPrefixedPairRange[uint64, []byte](r.Cluster)
	if len(r.After) > 0 {
		from = from.StartExclusive(r.After)
	}
	res, limit := &types.QueryContractsResponse{}, page(r.Limit)
	err := s.Keeper.contracts.Walk(ctx, from, func(_ contractKey, c wire.Contract) (bool, error) {
		res.Contracts = append(res.Contracts, &c)
		return len(res.Contracts) == limit, nil
	})
	return res, err
}

// get is a stored value, or a NotFound that says what is missing.
func get[K, V any](ctx context.Context, m collections.Map[K, V], key K, missing string, args ...any) (*V, error) {
	v, err := find(ctx, m, key)
	if err == nil && v == nil {
		err = status.Errorf(codes.NotFound, missing, args...)
	}
	return v, err
}
