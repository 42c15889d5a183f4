package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
)

// inputKeys are the public keys of clusters beside the one in force.
type inputKeys struct {
	previous collections.Map[uint64, wire.ClusterKey]
	next     collections.Map[uint64, wire.ClusterKey]
	due      collections.Map[collections.Pair[uint64, uint64], bool] // height, cluster; maps to true, see Keeper
}

func newInputKeys(sb *collections.SchemaBuilder, cdc codec.BinaryCodec) inputKeys {
	prefix := func(b byte) collections.Prefix { return collections.NewPrefix([]byte{b}) }
	return inputKeys{
		previous: collections.NewMap(sb, prefix(types.PreviousKeyPrefix), "previous_keys", collections.Uint64Key, codec.CollValue[wire.ClusterKey](cdc)),
		next:     collections.NewMap(sb, prefix(types.NextKeyPrefix), "next_keys", collections.Uint64Key, codec.CollValue[wire.ClusterKey](cdc)),
		due: collections.NewMap(sb, prefix(types.DueKeyPrefix), "due_keys",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), collections.BoolValue),
	}
}

func findKey(ctx context.Context, m collections.Map[uint64, wire.ClusterKey], cluster uint64) (*wire.ClusterKey, error) {
	v, err := m.Get(ctx, cluster)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &v, err
}

// InForce says whether the input key of the cluster's epoch and roster counts.
func (k *Keeper) InForce(ctx context.Context, c *wire.Cluster) (bool, error) {
	key, err := k.ClusterKey(ctx, c.Id)
	return types.IsOf(key, c.Epoch, c.Roster), err
}

// agree puts a key that a quorum has announced in the place of the next. One that replaces another is used announce_ahead blocks
// later, so that whoever seals hears of it; a cluster without one waits for nothing.
func (k *Keeper) agree(ctx context.Context, key *wire.ClusterKey) error {
	current, err := k.ClusterKey(ctx, key.Cluster)
	if err != nil {
		return err
	}
	key.FromHeight = key.Height
	if current != nil {
		p, err := k.keyParams(ctx)
		if err != nil {
			return err
		}
		key.FromHeight += p.GetAnnounceAhead()
	}
	return k.setNext(ctx, key)
}

func (k *Keeper) setNext(ctx context.Context, key *wire.ClusterKey) error {
	if err := k.dropNext(ctx, key.Cluster); err != nil {
		return err
	}
	if err := k.next.Set(ctx, key.Cluster, *key); err != nil {
		return err
	}
	return k.due.Set(ctx, collections.Join(key.FromHeight, key.Cluster), true)
}

func (k *Keeper) dropNext(ctx context.Context, cluster uint64) error {
	next, err := findKey(ctx, k.next, cluster)
	if err != nil || next == nil {
		return err
	}
	if err := k.due.Remove(ctx, collections.Join(next.FromHeight, cluster)); err != nil {
		return err
	}
	return k.next.Remove(ctx, cluster)
}

// TakeDue puts the keys in force whose height has come. The key before stays as the previous one until the next.
func (k *Keeper) TakeDue(goCtx context.Context) (out []types.Due, err error) {
	height := uint64(sdk.UnwrapSDKContext(goCtx).BlockHeight())
	var clusters []uint64
	r := new(collections.Range[collections.Pair[uint64, uint64]]).EndExclusive(collections.Join(height+1, uint64(0)))
	if err := k.due.Walk(goCtx, r, func(at collections.Pair[uint64, uint64], _ bool) (bool, error) {
		clusters = append(clusters, at.K2())
		return false, nil
	}); err != nil {
		return nil, err
	}
	for _, id := range clusters {
		next, err := findKey(goCtx, k.next, id)
		if err != nil {
			return nil, err
		}
		before, err := k.ClusterKey(goCtx, id)
		if err != nil {
			return nil, err
		}
		if before != nil {
			if err := k.previous.Set(goCtx, id, *before); err != nil {
				return nil, err
			}
		}
		if err := k.dropNext(goCtx, id); err != nil {
			return nil, err
		}
		if err := k.keys.Set(goCtx, id, *next); err != nil {
			return nil, err
		}
		out = append(out, types.Due{Key: next, Before: before})
	}
	return out, nil
}

// EndKeys takes all input keys of a cluster away: its members have changed.
func (k *Keeper) EndKeys(ctx context.Context, cluster uint64) error {
	if err := k.dropNext(ctx, cluster); err != nil {
		return err
	}
	if err := k.previous.Remove(ctx, cluster); err != nil {
		return err
	}
	return k.keys.Remove(ctx, cluster)
}

func (k *Keeper) initInputKeys(ctx context.Context, g *types.GenesisState) error {
	for _, v := range g.PreviousKeys {
		if err := k.previous.Set(ctx, v.Cluster, *v); err != nil {
			return err
		}
	}
	for _, v := range g.NextKeys {
		if err := k.setNext(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) exportInputKeys(ctx context.Context, g *types.GenesisState) error {
	for _, x := range []struct {
		from collections.Map[uint64, wire.ClusterKey]
		to   *[]*wire.ClusterKey
	}{{k.previous, &g.PreviousKeys}, {k.next, &g.NextKeys}} {
		if err := x.from.Walk(ctx, nil, func(_ uint64, v wire.ClusterKey) (bool, error) {
			*x.to = append(*x.to, &v)
			return false, nil
		}); err != nil {
			return err
		}
	}
	return nil
}
