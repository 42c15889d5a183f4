package keeper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/attestation/types"
	"github.com/phala-go/phala/core/attest"
)

// Collateral is what the chain keeps under a SHA-256, nil if nothing.
func (k *Keeper) Collateral(ctx context.Context, hash []byte) ([]byte, error) {
	b, err := k.collateral.Get(ctx, hash)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// KeepCollateral puts off forgetting: what a registration rests on is kept as long as that counts, and a grace.
func (k *Keeper) KeepCollateral(ctx context.Context, hashes [][]byte, until uint64) error {
	for _, h := range hashes {
		old, err := k.kept.Get(ctx, h)
		if err != nil {
			return err // it was found when the evidence was judged
		}
		if err := k.keep(ctx, h, old, until+types.CollateralGrace); err != nil {
			return err
		}
	}
	return nil
}

// keep moves the height at which hash may be forgotten from old (0: none) to until, never back.
func (k *Keeper) keep(ctx context.Context, hash []byte, old, until uint64) error {
	if until <= old {
		return nil
	}
	if old != 0 {
		if err := k.forget.Remove(ctx, collections.Join(old, hash)); err != nil {
			return err
		}
	}
	if err := k.kept.Set(ctx, hash, until); err != nil {
		return err
	}
	return k.forget.Set(ctx, collections.Join(until, hash))
}

func (k *Keeper) storeCollateral(ctx context.Context, data []byte, until uint64) (hash []byte, err error) {
	sum := sha256.Sum256(data)
	hash = sum[:]
	old, err := k.kept.Get(ctx, hash)
	switch {
	case errors.Is(err, collections.ErrNotFound):
		if err := k.collateral.Set(ctx, hash, data); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	return hash, k.keep(ctx, hash, old, until)
}

// forgetCollateral drops what nobody needs any more, a bounded number a block.
func (k *Keeper) forgetCollateral(ctx context.Context, height uint64) error {
	var due []collections.Pair[uint64, []byte]
	until := collections.NewPrefixUntilPairRange[uint64, []byte](height)
	if err := k.forget.Walk(ctx, until, func(p collections.Pair[uint64, []byte]) (bool, error) {
		due = append(due, p)
		return len(due) == types.ForgottenPerBlock, nil
	}); err != nil {
		return err
	}
	for _, p := range due {
		if err := errors.Join(k.forget.Remove(ctx, p), k.kept.Remove(ctx, p.K2()), k.collateral.Remove(ctx, p.K2())); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) exportCollateral(ctx context.Context) (out []*types.Collateral, err error) {
	err = k.collateral.Walk(ctx, nil, func(hash, data []byte) (bool, error) {
		until, err := k.kept.Get(ctx, hash)
		out = append(out, &types.Collateral{Data: data, KeptUntil: until})
		return false, err
	})
	return out, err
}

// StoreCollateral implements types.MsgServer. Anyone may store; bytes cost gas as all that is written does, and what no
// registration uses is forgotten.
func (s MsgServer) StoreCollateral(goCtx context.Context, m *types.MsgStoreCollateral) (*types.MsgStoreCollateralResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if _, err := sdk.AccAddressFromBech32(m.Sender); err != nil {
		return nil, types.ErrCollateral.Wrapf("sender %q: %v", m.Sender, err)
	}
	if len(m.Items) == 0 || len(m.Items) > attest.MaxItems {
		return nil, types.ErrCollateral.Wrapf("%d items: want 1 to %d", len(m.Items), attest.MaxItems)
	}
	res := &types.MsgStoreCollateralResponse{}
	for i, data := range m.Items {
		if len(data) == 0 || len(data) > attest.MaxItem {
			return nil, types.ErrCollateral.Wrapf("item %d: %d bytes: want 1 to %d", i, len(data), attest.MaxItem)
		}
		hash, err := s.Keeper.storeCollateral(ctx, data, uint64(ctx.BlockHeight())+types.CollateralGrace)
		if err != nil {
			return nil, err
		}
		res.Hashes = append(res.Hashes, hash)
		ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventCollateralStored,
			sdk.NewAttribute(types.AttributeHash, hex.EncodeToString(hash)),
			sdk.NewAttribute(types.AttributeSize, strconv.Itoa(len(data)))))
	}
	return res, nil
}
