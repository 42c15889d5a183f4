package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/wire"
)

// InitGenesis stores a validated genesis. The bank's genesis must give the module's account the escrows.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	n, err := k.Attestation.Network(ctx)
	if err != nil {
		return err
	}
	if err := types.ValidateParams(n, g.Params); err != nil {
		return err
	}
	if err := k.params.Set(ctx, *g.Params); err != nil {
		return err
	}
	if err := k.nextID.Set(ctx, g.NextCluster); err != nil {
		return err
	}
	for i, c := range g.Clusters {
		if err := k.addCluster(ctx, c, g.Heads[i], g.Inboxes[i]); err != nil {
			return err
		}
	}
	if err := k.initContents(ctx, g); err != nil {
		return err
	}
	if err := k.initKeyEscrows(ctx, g); err != nil {
		return err
	}
	return k.CheckEscrows(ctx)
}

func (k *Keeper) initContents(ctx context.Context, g *types.GenesisState) error {
	for _, it := range g.Items {
		if err := k.items.Set(ctx, collections.Join(it.Cluster, it.Index), *it); err != nil {
			return err
		}
	}
	for _, b := range g.Batches {
		if err := k.batches.Set(ctx, collections.Join(b.Signed.Batch.Cluster, b.Signed.Batch.Number), *b); err != nil {
			return err
		}
	}
	for _, c := range g.Codes {
		if err := k.codes.Set(ctx, c.Code.Id, *c.Code); err != nil {
			return err
		}
		if err := k.packed.Set(ctx, c.Code.Id, c.Packed); err != nil {
			return err
		}
	}
	for _, c := range g.Contracts {
		if err := k.contracts.Set(ctx, collections.Join(c.Cluster, c.Address), *c); err != nil {
			return err
		}
	}
	for _, r := range g.Revealed {
		if err := k.revealed.Set(ctx, collections.Join3(r.Cluster, r.Number, r.Leaf), true); err != nil {
			return err
		}
	}
	return nil
}

// all lists the values of a map in the order of their keys.
func all[K, V any](ctx context.Context, m collections.Map[K, V]) (out []*V, err error) {
	err = m.Walk(ctx, nil, func(_ K, v V) (bool, error) {
		out = append(out, &v)
		return false, nil
	})
	return out, err
}

// ExportGenesis is the inverse of InitGenesis.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	p, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	g := &types.GenesisState{Params: &p}
	if g.NextCluster, err = k.nextID.Peek(ctx); err != nil {
		return nil, err
	}
	if g.Clusters, err = all(ctx, k.clusters); err != nil {
		return nil, err
	}
	if g.Heads, err = all(ctx, k.heads); err != nil {
		return nil, err
	}
	if g.Inboxes, err = all(ctx, k.inboxes); err != nil {
		return nil, err
	}
	if g.Items, err = all(ctx, k.items); err != nil {
		return nil, err
	}
	if g.Batches, err = all(ctx, k.batches); err != nil {
		return nil, err
	}
	if g.Contracts, err = all(ctx, k.contracts); err != nil {
		return nil, err
	}
	if err := k.codes.Walk(ctx, nil, func(id []byte, c wire.Code) (bool, error) {
		packed, err := k.packed.Get(ctx, id)
		g.Codes = append(g.Codes, &types.ContractCode{Code: &c, Packed: packed})
		return err != nil, err
	}); err != nil {
		return nil, err
	}
	if err := k.exportKeyEscrows(ctx, g); err != nil {
		return nil, err
	}
	err = k.revealed.Walk(ctx, nil, func(e effectKey, _ bool) (bool, error) {
		g.Revealed = append(g.Revealed, &types.RevealedEffect{Cluster: e.K1(), Number: e.K2(), Leaf: e.K3()})
		return false, nil
	})
	return g, err
}
