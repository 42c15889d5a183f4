package keeper

import (
	"context"
	"encoding/hex"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/dprf/generation"
	"github.com/phala-go/phala/core/wire"
)

// What the work behind a message of a generation costs beyond its bytes, which the SDK prices. One unit is about 0.1 µs.
const (
	gasOneTimeKey = 2_000  // parsing a key that others seal to
	gasCommitment = 20     // hashing what a member has committed to
	gasDealt      = 10_000 // parsing one coefficient of a member's polynomial for the beacon
	gasComplaint  = 20_000 // a decapsulation, an opening, and the check of a value of the beacon
)

// round loads the newest generation with what its messages are checked against.
func (k *Keeper) round(ctx sdk.Context) (*wire.Generation, error) {
	ctx.GasMeter().ConsumeGas(gasSignature, "signature")
	return newest(ctx, k.generation)
}

// recordMember stores what a message has changed in g, and tells of it.
func (k *Keeper) recordMember(ctx sdk.Context, event string, g *wire.Generation, member uint32) error {
	m := g.Members[member]
	emitGeneration(ctx, event, g, append(workerAttributes(m.Worker),
		sdk.NewAttribute(types.AttributeMember, decimal(uint64(member))),
		sdk.NewAttribute(types.AttributeIdentity, hex.EncodeToString(m.IdentityKey)))...)
	return k.generation.Set(ctx, *g)
}

// JoinGeneration implements types.MsgServer.
func (s MsgServer) JoinGeneration(goCtx context.Context, msg *types.MsgJoinGeneration) (*types.MsgJoinGenerationResponse, error) {
	k, ctx, j := s.Keeper, sdk.UnwrapSDKContext(goCtx), msg.Join
	g, err := k.round(ctx)
	if err != nil {
		return nil, err
	}
	if err := types.CheckTurnToJoin(g, j); err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasOneTimeKey*uint64(len(j.OneTimeKeys)), "one-time keys")
	n, err := k.attestation.Network(ctx)
	if err != nil {
		return nil, err
	}
	w, err := k.workers.Worker(ctx, g.Members[j.Member].Worker)
	if err != nil {
		return nil, err
	}
	joined, err := k.joined(ctx, g)
	if err != nil {
		return nil, err
	}
	if err := types.CheckJoin(ctx.ChainID(), uint64(ctx.BlockHeight()), n, g, w, joined, j); err != nil {
		return nil, err
	}
	if err := k.joins.Set(ctx, j.Member, *j); err != nil {
		return nil, err
	}
	generation.RecordJoin(g, j)
	return &types.MsgJoinGenerationResponse{}, k.recordMember(ctx, types.EventJoined, g, j.Member)
}

// joined lists the workers whose boots have joined and not been excluded.
func (k *Keeper) joined(ctx sdk.Context, g *wire.Generation) ([]*wire.Worker, error) {
	var out []*wire.Worker
	for _, m := range g.Members {
		if len(m.JoinHash) == 0 || m.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		w, err := k.workers.Worker(ctx, m.Worker)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// Contribute implements types.MsgServer.
func (s MsgServer) Contribute(goCtx context.Context, msg *types.MsgContribute) (*types.MsgContributeResponse, error) {
	k, ctx, c := s.Keeper, sdk.UnwrapSDKContext(goCtx), msg.Contribution
	g, err := k.round(ctx)
	if err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasCommitment*uint64(len(c.GetCommitments()))+gasDealt*uint64(len(c.GetBeacon())), "contribution")
	if err := types.CheckContribution(ctx.ChainID(), g, c); err != nil {
		return nil, err
	}
	if err := k.contributions.Set(ctx, c.Member, *c); err != nil {
		return nil, err
	}
	generation.RecordContribution(g, c)
	return &types.MsgContributeResponse{}, k.recordMember(ctx, types.EventContributed, g, c.Member)
}

// Complain implements types.MsgServer. Who lied, the accused or who complains, is out of the generation with it.
func (s MsgServer) Complain(goCtx context.Context, msg *types.MsgComplain) (*types.MsgComplainResponse, error) {
	k, ctx, c := s.Keeper, sdk.UnwrapSDKContext(goCtx), msg.Complaint
	g, err := k.round(ctx)
	if err != nil {
		return nil, err
	}
	if err := types.CheckTurnToComplain(g, c); err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasComplaint, "complaint")
	join, err := at(ctx, k.joins, c.Member)
	if err != nil {
		return nil, err
	}
	accused, err := at(ctx, k.contributions, c.Against)
	if err != nil {
		return nil, err
	}
	ctx.GasMeter().ConsumeGas(gasCommitment*uint64(len(accused.GetCommitments()))+gasDealt*uint64(len(accused.GetBeacon())), "complaint")
	excluded, fault, err := types.Judge(ctx.ChainID(), g, join, accused, c)
	if err != nil {
		return nil, err
	}
	p, err := k.keyParams(ctx)
	if err != nil {
		return nil, err
	}
	before := faultsOf(g)
	generation.Exclude(g, excluded, fault)
	if err := k.punish(ctx, p, g, before); err != nil {
		return nil, err
	}
	return &types.MsgComplainResponse{Excluded: excluded}, k.generation.Set(ctx, *g)
}

// Confirm implements types.MsgServer.
func (s MsgServer) Confirm(goCtx context.Context, msg *types.MsgConfirm) (*types.MsgConfirmResponse, error) {
	k, ctx, c := s.Keeper, sdk.UnwrapSDKContext(goCtx), msg.Confirmation
	g, err := k.round(ctx)
	if err != nil {
		return nil, err
	}
	if err := types.CheckConfirmation(ctx.ChainID(), g, c); err != nil {
		return nil, err
	}
	generation.RecordConfirmation(g, c)
	if err := k.recordMember(ctx, types.EventConfirmed, g, c.Member); err != nil {
		return nil, err
	}
	now, err := k.keysNow(ctx)
	if err != nil {
		return nil, err
	}
	end := now.Generation // a copy: the end of the block decides
	return &types.MsgConfirmResponse{Begun: generation.Next(end, now.Height, now.Least()) && end.Phase == wire.GENERATION_PHASE_DONE}, nil
}

// lost marks the boot of a gatekeeper that another has replaced, or whose registration is over, wherever it takes part.
func (k *Keeper) lost(ctx sdk.Context, w *wire.Worker, over bool) error {
	g, err := newest(ctx, k.generation)
	if err != nil {
		return err
	}
	if types.Running(g) {
		before, changed := faultsOf(g), false
		for _, m := range g.Members {
			changed = types.Lose(m.Worker, m.IdentityKey, &m.Fault, w, over) || changed
		}
		if changed {
			if err := k.generation.Set(ctx, *g); err != nil {
				return err
			}
			if err := k.punish(ctx, nil, g, before); err != nil {
				return err
			}
		}
	}
	if err := k.lostIn(ctx, w, over, true); err != nil {
		return err
	}
	return k.lostIn(ctx, w, over, false)
}

// lostIn marks it in the current set, or in the one before.
func (k *Keeper) lostIn(ctx sdk.Context, w *wire.Worker, over, current bool) error {
	item := k.previousSet
	if current {
		item = k.set
	}
	s, err := newest(ctx, item)
	if err != nil || s == nil {
		return err
	}
	for _, m := range s.Members {
		if !types.Lose(m.Worker, m.IdentityKey, &m.Fault, w, over) {
			continue
		}
		if current {
			ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventLost, append(workerAttributes(m.Worker),
				sdk.NewAttribute(types.AttributeEpoch, decimal(s.Epoch)),
				sdk.NewAttribute(types.AttributeServing, decimal(uint64(types.Serving(s)))),
				sdk.NewAttribute(types.AttributeNeeded, decimal(uint64(s.Threshold))))...))
		}
		return item.Set(ctx, *s)
	}
	return nil
}
