package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/wire"
)

type end = collections.Pair[uint64, key]

// queue notes when a registration ends, by height and by time.
func (k *Keeper) queue(ctx context.Context, w *wire.Worker) error {
	id := keyOf(w.Worker)
	if err := k.expiries.Set(ctx, collections.Join(w.ExpiryHeight, id)); err != nil || w.NotAfter <= 0 {
		return err
	}
	return k.lapses.Set(ctx, collections.Join(uint64(w.NotAfter), id))
}

func (k *Keeper) unqueue(ctx context.Context, w *wire.Worker) error {
	id := keyOf(w.Worker)
	return errors.Join(k.expiries.Remove(ctx, collections.Join(w.ExpiryHeight, id)), k.lapses.Remove(ctx, collections.Join(uint64(w.NotAfter), id)))
}

// endAt moves the end of a registration forward to height.
func (k *Keeper) endAt(ctx context.Context, w *wire.Worker, height uint64) error {
	if err := k.unqueue(ctx, w); err != nil {
		return err
	}
	w.ExpiryHeight = height
	if err := k.queue(ctx, w); err != nil {
		return err
	}
	return k.workers.Set(ctx, keyOf(w.Worker), *w)
}

// BeginBlock ends what time ends (a certificate, a list of revoked ones or a security level of the maker has run out), and tells of
// every registration that ended.
func (k *Keeper) BeginBlock(goCtx context.Context) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	height := uint64(ctx.BlockHeight())
	err := k.take(ctx, k.lapses, uint64(max(0, ctx.BlockTime().Unix())), func(w *wire.Worker) error {
		if w.ExpiryHeight <= height {
			return nil
		}
		return k.endAt(ctx, w, height)
	})
	if err != nil {
		return err
	}
	return k.take(ctx, k.expiries, height, func(w *wire.Worker) error {
		emit(ctx, types.EventExpired, w)
		return k.ended(ctx, w)
	})
}

// ended tells whoever relies on a gatekeeper's boot that its registration is over.
func (k *Keeper) ended(ctx sdk.Context, w *wire.Worker) error {
	if w.Role != wire.ROLE_GATEKEEPER {
		return nil
	}
	return k.gatekeepers.Ended(ctx, w)
}

// take removes what is due from a queue, a bounded number a block, and gives each worker to do.
func (k *Keeper) take(ctx context.Context, q collections.KeySet[end], until uint64, do func(*wire.Worker) error) error {
	var due []end
	if err := q.Walk(ctx, collections.NewPrefixUntilPairRange[uint64, key](until), func(e end) (bool, error) {
		due = append(due, e)
		return len(due) == types.EndedPerBlock, nil
	}); err != nil {
		return err
	}
	for _, e := range due {
		if err := q.Remove(ctx, e); err != nil {
			return err
		}
		w, err := k.workers.Get(ctx, e.K2())
		if err != nil {
			return err
		}
		if err := do(&w); err != nil {
			return err
		}
	}
	return nil
}

// PolicyChanged ends the workers that the policy of their role does not take any more, at this height or at the one that it
// states, and says how many.
func (k *Keeper) PolicyChanged(ctx context.Context, p *wire.Policy) (ended int, err error) {
	height := uint64(sdk.UnwrapSDKContext(ctx).BlockHeight())
	var change []*wire.Worker
	if err := k.workers.Walk(ctx, nil, func(_ key, w wire.Worker) (bool, error) {
		if w.Role == p.Role && types.EndsUnder(p, &w, height) < w.ExpiryHeight {
			change = append(change, &w)
		}
		return false, nil
	}); err != nil {
		return 0, err
	}
	for _, w := range change {
		if err := k.endAt(ctx, w, types.EndsUnder(p, w, height)); err != nil {
			return 0, err
		}
	}
	return len(change), nil
}
