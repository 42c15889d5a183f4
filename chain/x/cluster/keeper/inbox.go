package keeper

import (
	"context"
	"encoding/hex"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// SubmitInput implements types.MsgServer.
func (s MsgServer) SubmitInput(goCtx context.Context, m *types.MsgSubmitInput) (*types.MsgSubmitInputResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	c, err := k.mustCluster(ctx, m.Cluster)
	if err != nil {
		return nil, err
	}
	item, err := k.order(ctx, c, m.Epoch, m.Roster, m.Sealed, &wire.InputContext{
		Sender: m.Sender, Funds: m.Funds, GasClass: m.GasClass, Kind: wire.INPUT_KIND_CALL,
	})
	if err != nil {
		return nil, err
	}
	return &types.MsgSubmitInputResponse{Index: item.Index}, nil
}

// Instantiate implements types.MsgServer.
func (s MsgServer) Instantiate(goCtx context.Context, m *types.MsgInstantiate) (*types.MsgInstantiateResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	c, err := k.mustCluster(ctx, m.Cluster)
	if err != nil {
		return nil, err
	}
	if err := types.CheckDeploy(c, m); err != nil {
		return nil, err
	}
	known, err := k.codes.Has(ctx, m.CodeId)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, types.ErrNoCode.Wrapf("code %x is not on the chain: upload it first", m.CodeId)
	}
	item, err := k.order(ctx, c, m.Epoch, m.Roster, m.Sealed, &wire.InputContext{
		Sender: m.Sender, Funds: m.Funds, GasClass: m.GasClass, Kind: wire.INPUT_KIND_INSTANTIATE,
		CodeId: m.CodeId, Label: m.Label, Query: m.Query,
	})
	if err != nil {
		return nil, err
	}
	err = k.contracts.Set(ctx, collections.Join(c.Id, item.Address), wire.Contract{
		Address: item.Address, Cluster: c.Id, CodeId: m.CodeId, Label: m.Label, Creator: m.Sender, Query: m.Query,
		State: wire.CONTRACT_STATE_PENDING, InboxIndex: item.Index,
	})
	if err != nil {
		return nil, err
	}
	return &types.MsgInstantiateResponse{Index: item.Index, Address: item.Address}, nil
}

// order takes fee and funds and gives a sealed input its place in the cluster's inbox.
func (k *Keeper) order(ctx sdk.Context, c *wire.Cluster, epoch, roster uint64, sealed *wire.Envelope, in *wire.InputContext) (*wire.InboxItem, error) {
	p, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	fee, funds, err := types.CheckInput(&p, c, epoch, roster, sealed, in)
	if err != nil {
		return nil, err
	}
	inbox, err := k.inboxes.Get(ctx, c.Id)
	if err != nil {
		return nil, err
	}
	escrow, err := types.ParseAmount(inbox.Escrow)
	if err != nil {
		return nil, err
	}
	if err := k.take(ctx, in.Sender, fee, funds); err != nil {
		return nil, err
	}

	item := &wire.InboxItem{Cluster: c.Id, Epoch: epoch, Roster: roster, Context: in, Sealed: sealed}
	inbox.Escrow = escrow.Add(funds).String()
	return item, k.enqueue(ctx, inbox, item)
}

// enqueue gives an item the next place of an inbox and stores both.
func (k *Keeper) enqueue(ctx sdk.Context, inbox wire.Inbox, item *wire.InboxItem) error {
	item.Index, item.Height = inbox.Next, uint64(ctx.BlockHeight())
	if item.Context.Kind == wire.INPUT_KIND_INSTANTIATE {
		item.Address = settle.ContractAddress(item.Cluster, item.Context.CodeId, item.Index)
	}
	inbox.Next++
	if err := k.inboxes.Set(ctx, item.Cluster, inbox); err != nil {
		return err
	}
	if err := k.items.Set(ctx, collections.Join(item.Cluster, item.Index), *item); err != nil {
		return err
	}
	emitInput(ctx, item)
	return nil
}

func (k *Keeper) take(ctx sdk.Context, sender string, fee, funds math.Int) error {
	from, err := sdk.AccAddressFromBech32(sender)
	if err != nil {
		return types.ErrMalformed.Wrapf("sender %q: %v", sender, err)
	}
	sum, err := fee.SafeAdd(funds)
	if err != nil {
		return types.ErrAmount.Wrapf("fee %s and funds %s: %v", fee, funds, err)
	}
	if sum.IsZero() {
		return nil
	}
	if err := k.Bank.SendCoinsFromAccountToModule(ctx, from, types.ModuleName, k.coins(sum)); err != nil {
		return errorsmod.Wrapf(err, "taking the fee of %s%s and funds of %s%s", fee, k.Denom, funds, k.Denom)
	}
	return nil
}

func emitInput(ctx sdk.Context, it *wire.InboxItem) {
	attrs := []sdk.Attribute{
		sdk.NewAttribute(types.AttributeCluster, decimal(it.Cluster)),
		sdk.NewAttribute(types.AttributeIndex, decimal(it.Index)),
		sdk.NewAttribute(types.AttributeKind, it.Context.Kind.String()),
		sdk.NewAttribute(types.AttributeSender, it.Context.Sender),
		sdk.NewAttribute(types.AttributeFunds, it.Context.Funds),
		sdk.NewAttribute(types.AttributeGasClass, decimal(uint64(it.Context.GasClass))),
	}
	if it.Address != nil {
		attrs = append(attrs,
			sdk.NewAttribute(types.AttributeCodeID, hex.EncodeToString(it.Context.CodeId)),
			sdk.NewAttribute(types.AttributeAddress, hex.EncodeToString(it.Address)))
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventInput, attrs...))
}
