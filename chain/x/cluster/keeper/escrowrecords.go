package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// escrowRecords is what the chain has of escrows of state keys. Keys are those of core/storekey without their first byte.
type escrowRecords struct {
	keyEscrows collections.Map[uint64, wire.KeyEscrow]
	deals      collections.Map[[]byte, wire.EscrowDeal]
	requests   collections.Map[[]byte, wire.EscrowRequest]
	shares     collections.Map[[]byte, wire.EscrowShare]
}

func newEscrowRecords(sb *collections.SchemaBuilder, cdc codec.BinaryCodec) escrowRecords {
	prefix := func(b byte) collections.Prefix { return collections.NewPrefix([]byte{b}) }
	return escrowRecords{
		keyEscrows: collections.NewMap(sb, prefix(types.KeyEscrowPrefix), "key_escrows", collections.Uint64Key, codec.CollValue[wire.KeyEscrow](cdc)),
		deals:      collections.NewMap(sb, prefix(types.EscrowDealPrefix), "escrow_deals", collections.BytesKey, codec.CollValue[wire.EscrowDeal](cdc)),
		requests:   collections.NewMap(sb, prefix(types.EscrowRequestPrefix), "escrow_requests", collections.BytesKey, codec.CollValue[wire.EscrowRequest](cdc)),
		shares:     collections.NewMap(sb, prefix(types.EscrowSharePrefix), "escrow_shares", collections.BytesKey, codec.CollValue[wire.EscrowShare](cdc)),
	}
}

func dealKey(cluster uint64, l *wire.EscrowLabel, n uint32) []byte {
	return storekey.EscrowDealKey(cluster, l.Epoch, l.Roster, n)[1:]
}

func requestKey(cluster uint64, w *wire.WorkerRef) []byte {
	return storekey.EscrowRequestKey(cluster, w.Operator, w.Slot)[1:]
}

func shareKey(s *wire.EscrowShare) []byte {
	return storekey.EscrowShareKey(s.Cluster, s.Worker.Operator, s.Worker.Slot, s.Epoch, s.Roster, s.Deal, s.Custodian)[1:]
}

// with is the range of all keys that begin with prefix.
func with(prefix []byte) *collections.Range[[]byte] {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return new(collections.Range[[]byte]).StartInclusive(prefix).EndExclusive(end[:i+1])
		}
	}
	return new(collections.Range[[]byte]).StartInclusive(prefix)
}

// dropEscrow takes an escrow away with all that was dealt and asked under it.
func (k *Keeper) dropEscrow(ctx context.Context, c *wire.Cluster) error {
	c.EscrowHeight = 0
	if err := k.keyEscrows.Remove(ctx, c.Id); err != nil {
		return err
	}
	r := with(storekey.EscrowDealKey(c.Id, 0, 0, 0)[1:9])
	if err := k.deals.Clear(ctx, r); err != nil {
		return err
	}
	if err := k.requests.Clear(ctx, r); err != nil {
		return err
	}
	return k.shares.Clear(ctx, r)
}

// dealsOf lists what was dealt of a label.
func (k *Keeper) dealsOf(ctx context.Context, cluster uint64, l *wire.EscrowLabel) (out []*wire.EscrowDeal, err error) {
	for n := range l.Deals {
		d, err := k.deals.Get(ctx, dealKey(cluster, l, n))
		if err != nil {
			return nil, err
		}
		out = append(out, &d)
	}
	return out, nil
}

func (k *Keeper) initKeyEscrows(ctx context.Context, g *types.GenesisState) error {
	count := map[string]uint32{} // deals are listed in the order of their numbers
	for _, e := range g.KeyEscrows {
		if err := k.keyEscrows.Set(ctx, e.Terms.Cluster, *e); err != nil {
			return err
		}
	}
	for _, d := range g.EscrowDeals {
		l := &wire.EscrowLabel{Epoch: d.Epoch, Roster: d.Roster}
		label := string(dealKey(d.Cluster, l, 0))
		if err := k.deals.Set(ctx, dealKey(d.Cluster, l, count[label]), *d); err != nil {
			return err
		}
		count[label]++
	}
	for _, r := range g.EscrowRequests {
		if err := k.requests.Set(ctx, requestKey(r.Cluster, r.Worker), *r); err != nil {
			return err
		}
	}
	for _, s := range g.EscrowShares {
		if err := k.shares.Set(ctx, shareKey(s), *s); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) exportKeyEscrows(ctx context.Context, g *types.GenesisState) (err error) {
	if g.KeyEscrows, err = all(ctx, k.keyEscrows); err != nil {
		return err
	}
	if g.EscrowDeals, err = all(ctx, k.deals); err != nil {
		return err
	}
	if g.EscrowRequests, err = all(ctx, k.requests); err != nil {
		return err
	}
	g.EscrowShares, err = all(ctx, k.shares)
	return err
}
