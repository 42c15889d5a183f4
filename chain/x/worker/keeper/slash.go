package keeper

import (
	"context"
	"strconv"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/wire"
)

// Slash burns parts of 10000 of a worker's bond, rounded down, as the SDK burns the stake of a validator: nobody gains by
// another's fault. A worker without a bond, or that is not registered any more, has nothing to lose.
func (k *Keeper) Slash(goCtx context.Context, ref *wire.WorkerRef, parts uint32, reason string) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	w, err := k.Worker(ctx, ref)
	if err != nil || w == nil {
		return err
	}
	bond, err := types.ParseAmount(w.Bond)
	if err != nil {
		return err
	}
	loss := bond.MulRaw(int64(min(parts, types.Whole))).QuoRaw(types.Whole)
	if !loss.IsPositive() {
		return nil
	}
	if err := k.bank.BurnCoins(ctx, types.ModuleName, k.coins(loss)); err != nil {
		return errorsmod.Wrapf(err, "slashing the bond of worker %s", ref.Name())
	}
	w.Bond = bond.Sub(loss).String()
	if err := k.workers.Set(ctx, keyOf(ref), *w); err != nil {
		return err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventSlashed,
		sdk.NewAttribute(types.AttributeOperator, ref.Operator),
		sdk.NewAttribute(types.AttributeSlot, strconv.FormatUint(uint64(ref.Slot), 10)),
		sdk.NewAttribute(types.AttributeLoss, loss.String()),
		sdk.NewAttribute(types.AttributeBond, w.Bond),
		sdk.NewAttribute(types.AttributeReason, reason)))
	return nil
}
