package keeper

import (
	"context"
	"encoding/hex"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// RevealEffects implements types.MsgServer.
func (s MsgServer) RevealEffects(goCtx context.Context, m *types.MsgRevealEffects) (*types.MsgRevealEffectsResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	b, err := find(ctx, k.batches, collections.Join(m.Cluster, m.Number))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, types.ErrNoBatch.Wrapf("cluster %d has no final batch %d: commit it first", m.Cluster, m.Number)
	}
	res := &types.MsgRevealEffectsResponse{}
	for i, o := range m.Openings {
		ctx.GasMeter().ConsumeGas(gasHash*uint64(len(o.GetPath())+2), "effect")
		if err := settle.VerifyEffect(b.Signed.Batch.EffectsRoot, o); err != nil {
			return nil, types.ErrEffect.Wrapf("opening %d of batch %d: %v", i, m.Number, err)
		}
		done, err := k.reveal(ctx, m.Cluster, m.Number, o.Effect)
		if err != nil {
			return nil, errorsmod.Wrapf(err, "opening %d of batch %d", i, m.Number)
		}
		if done {
			res.Executed++
		}
	}
	return res, nil
}

// reveal runs an effect of a final batch unless it has run before. An effect is known by its leaf and not by its place, so
// that running once does not rest on the shape of the tree that core/settle accepts.
func (k *Keeper) reveal(ctx sdk.Context, cluster, number uint64, e *wire.Effect) (done bool, err error) {
	leaf := settle.EffectLeaf(e)
	id := collections.Join3(cluster, number, leaf)
	if known, err := k.revealed.Has(ctx, id); err != nil || known {
		return false, err
	}
	at := []sdk.Attribute{
		sdk.NewAttribute(types.AttributeCluster, decimal(cluster)),
		sdk.NewAttribute(types.AttributeNumber, decimal(number)),
		sdk.NewAttribute(types.AttributeLeaf, hex.EncodeToString(leaf)),
	}
	switch body := e.Body.(type) {
	case *wire.Effect_Payout:
		err = k.payOut(ctx, cluster, body.Payout, at)
	case *wire.Effect_Contract:
		err = k.setState(ctx, cluster, body.Contract, at)
	case *wire.Effect_Event:
		err = k.publish(ctx, cluster, body.Event, at)
	default:
		err = types.ErrEffect.Wrap("it is padding: leave it out")
	}
	if err != nil {
		return false, err
	}
	return true, k.revealed.Set(ctx, id, true)
}

func (k *Keeper) payOut(ctx sdk.Context, cluster uint64, p *wire.Payout, at []sdk.Attribute) error {
	to, err := sdk.AccAddressFromBech32(p.To)
	if err != nil {
		return types.ErrPayee.Wrapf("%q is no address: %v", p.To, err)
	}
	if k.Bank.BlockedAddr(to) {
		return types.ErrPayee.Wrapf("%s belongs to a module and takes no coins", p.To)
	}
	inbox, err := k.inboxes.Get(ctx, cluster)
	if err != nil {
		return err
	}
	amount, left, err := types.CheckPayout(inbox.Escrow, p)
	if err != nil {
		return err
	}
	inbox.Escrow = left.String()
	if err := k.inboxes.Set(ctx, cluster, inbox); err != nil {
		return err
	}
	if err := k.Bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, to, k.coins(amount)); err != nil {
		return errorsmod.Wrapf(err, "paying %s%s out of the escrow", amount, k.Denom)
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventPayout, append(at,
		sdk.NewAttribute(types.AttributeTo, p.To),
		sdk.NewAttribute(types.AttributeAmount, amount.String()))...))
	return nil
}

func (k *Keeper) setState(ctx sdk.Context, cluster uint64, s *wire.ContractStatus, at []sdk.Attribute) error {
	c, err := find(ctx, k.contracts, collections.Join(cluster, s.Address))
	if err != nil {
		return err
	}
	if c == nil || c.State != wire.CONTRACT_STATE_PENDING {
		return types.ErrContract.Wrapf("contract %x of cluster %d is not pending: its state is %s", s.Address, cluster, c.GetState())
	}
	c.State = wire.CONTRACT_STATE_FAILED
	if s.Live {
		c.State = wire.CONTRACT_STATE_LIVE
	}
	if err := k.contracts.Set(ctx, collections.Join(cluster, s.Address), *c); err != nil {
		return err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventContractStatus, append(at,
		sdk.NewAttribute(types.AttributeAddress, hex.EncodeToString(c.Address)),
		sdk.NewAttribute(types.AttributeState, c.State.String()))...))
	return nil
}

// publish emits a contract's event. The contract names keys and values only behind a prefix, so that it cannot pass its
// event off as another's.
func (k *Keeper) publish(ctx sdk.Context, cluster uint64, e *wire.PublicEvent, at []sdk.Attribute) error {
	known, err := k.contracts.Has(ctx, collections.Join(cluster, e.Contract))
	if err != nil {
		return err
	}
	if !known {
		return types.ErrContract.Wrapf("event of contract %x, which cluster %d does not have", e.Contract, cluster)
	}
	attrs := append(at,
		sdk.NewAttribute(types.AttributeAddress, hex.EncodeToString(e.Contract)),
		sdk.NewAttribute(types.AttributeType, e.Type))
	for _, a := range e.Attributes {
		attrs = append(attrs, sdk.NewAttribute(types.AttributeDataPrefix+a.GetKey(), a.GetValue()))
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventContract, attrs...))
	return nil
}
