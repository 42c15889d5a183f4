package keeper

import (
	"context"
	"strconv"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/wire"
)

// UpdateMembers implements types.MsgServer. The members' next roster has no key yet: the old one ends with this block.
func (s MsgServer) UpdateMembers(goCtx context.Context, m *types.MsgUpdateMembers) (*types.MsgUpdateMembersResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	c, err := k.mustCluster(ctx, m.Cluster)
	if err != nil {
		return nil, err
	}
	if m.Authority != c.Owner && m.Authority != k.Authority {
		return nil, types.ErrAuthority.Wrapf("members of cluster %d are for its owner %s or for governance %s to change, not for %s", c.Id, c.Owner, k.Authority, m.Authority)
	}
	p, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	members, quorum, err := types.NextMembers(&p, c, m)
	if err != nil {
		return nil, err
	}
	for _, ref := range m.Add {
		w, err := k.Workers.Worker(ctx, ref)
		if err != nil {
			return nil, err
		}
		if err := types.CheckMember(ref, w, uint64(ctx.BlockHeight())); err != nil {
			return nil, err
		}
	}
	inForce, err := k.Gatekeepers.InForce(ctx, c)
	if err != nil {
		return nil, err
	}
	if inForce { // else the key before it is still the newest that inputs were sealed to
		c.PreviousEpoch, c.PreviousRoster = c.Epoch, c.Roster
	}
	c.Members, c.Quorum = members, quorum
	c.Roster++
	c.BorderHeight = uint64(ctx.BlockHeight())
	c.Admitted += uint64(len(m.Add))
	c.Rotate = c.Rotate || m.Cause
	if err := k.index(ctx, c.Id, m.Add, m.Remove); err != nil {
		return nil, err
	}
	if err := k.clusters.Set(ctx, c.Id, *c); err != nil {
		return nil, err
	}
	if err := k.Gatekeepers.EndKeys(ctx, c.Id); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventMembers,
		sdk.NewAttribute(types.AttributeCluster, decimal(c.Id)),
		sdk.NewAttribute(types.AttributeRoster, decimal(c.Roster)),
		sdk.NewAttribute(types.AttributeMembers, names(c.Members)),
		sdk.NewAttribute(types.AttributeQuorum, decimal(uint64(c.Quorum))),
		sdk.NewAttribute(types.AttributeAdded, names(m.Add)),
		sdk.NewAttribute(types.AttributeRemoved, names(m.Remove)),
		sdk.NewAttribute(types.AttributeCause, strconv.FormatBool(m.Cause)),
		sdk.NewAttribute(types.AttributeAdmitted, decimal(c.Admitted))))
	return &types.MsgUpdateMembersResponse{Roster: c.Roster}, nil
}

// index keeps the list of clusters by member.
func (k *Keeper) index(ctx context.Context, cluster uint64, add, remove []*wire.WorkerRef) error {
	for _, m := range remove {
		if err := k.members.Remove(ctx, collections.Join3(m.Operator, m.Slot, cluster)); err != nil {
			return err
		}
	}
	for _, m := range add {
		if err := k.members.Set(ctx, collections.Join3(m.Operator, m.Slot, cluster), true); err != nil {
			return err
		}
	}
	return nil
}

// EndBlock moves clusters to the keys that are in force from this block on.
func (k *Keeper) EndBlock(goCtx context.Context) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	due, err := k.Gatekeepers.TakeDue(ctx)
	if err != nil {
		return err
	}
	for _, d := range due {
		if err := k.move(ctx, d.Key, d.Before); err != nil {
			return err
		}
	}
	return nil
}

// move makes the epoch of a key the cluster's. What a removal for cause owes to contracts follows: only now can they draw secrets
// that the removed have not seen. before is the key that this one replaces; nil after a change of members, and for the first.
func (k *Keeper) move(ctx sdk.Context, key, before *wire.ClusterKey) error {
	c, err := k.mustCluster(ctx, key.Cluster)
	if err != nil {
		return err
	}
	if before != nil {
		c.PreviousEpoch, c.PreviousRoster = before.Epoch, before.Roster
	}
	if key.Epoch != c.Epoch {
		c.Epoch, c.BorderHeight = key.Epoch, uint64(ctx.BlockHeight())
	}
	rotate := c.Rotate
	c.Rotate = false
	if err := k.clusters.Set(ctx, c.Id, *c); err != nil {
		return err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventEpoch,
		sdk.NewAttribute(types.AttributeCluster, decimal(c.Id)),
		sdk.NewAttribute(types.AttributeEpoch, decimal(c.Epoch)),
		sdk.NewAttribute(types.AttributeRoster, decimal(c.Roster))))
	if !rotate {
		return nil
	}
	inbox, err := k.inboxes.Get(ctx, c.Id)
	if err != nil {
		return err
	}
	return k.enqueue(ctx, inbox, &wire.InboxItem{Cluster: c.Id, Epoch: c.Epoch, Roster: c.Roster, Context: &wire.InputContext{
		Sender: k.Accounts.GetModuleAddress(types.ModuleName).String(), Funds: "0", GasClass: types.RotateGasClass, Kind: wire.INPUT_KIND_ROTATE,
	}})
}
