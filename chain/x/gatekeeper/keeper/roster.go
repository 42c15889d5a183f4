package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
)

// UpdateRoster implements types.MsgServer. The newest roster takes the place of one that is not in force yet.
func (s MsgServer) UpdateRoster(goCtx context.Context, m *types.MsgUpdateRoster) (*types.MsgUpdateRosterResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	if m.Authority != k.authority {
		return nil, types.ErrUnauthorized.Wrapf("the roster is replaced by %s, not by %s: submit a proposal", k.authority, m.Authority)
	}
	n, err := k.attestation.Network(ctx)
	if err != nil {
		return nil, err
	}
	inForce, err := newest(ctx, k.inForce)
	if err != nil {
		return nil, err
	}
	r, err := types.SucceedRoster(n, inForce, m.Threshold, m.Members, uint64(ctx.BlockHeight()))
	if err != nil {
		return nil, err
	}
	if err := k.checkWorkers(ctx, n, r); err != nil {
		return nil, err
	}
	if err := k.roster.Set(ctx, *r); err != nil {
		return nil, err
	}
	emitRoster(ctx, types.EventRoster, r)
	return &types.MsgUpdateRosterResponse{FromHeight: r.FromHeight}, nil
}

// checkWorkers refuses a roster whose workers, as far as they are registered, could not all join.
func (k *Keeper) checkWorkers(ctx sdk.Context, n *wire.NetworkParams, r *wire.GatekeeperRoster) error {
	var kinds []wire.TeeKind
	for _, ref := range r.Members {
		w, err := k.workers.Worker(ctx, ref)
		switch {
		case err != nil:
			return err
		case w == nil: // it may still come
		case w.Role != wire.ROLE_GATEKEEPER:
			return types.ErrRoster.Wrapf("worker %s is a %s: name a gatekeeper", ref.Name(), w.Role)
		default:
			kinds = append(kinds, w.Kind)
		}
	}
	return types.CheckVendors(n, r.Threshold, kinds)
}

// initEpochs stores the part of a validated genesis that the making of keys works with.
func (k *Keeper) initEpochs(goCtx context.Context, n *wire.NetworkParams, g *types.GenesisState) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := g.ValidateFor(n); err != nil {
		return err
	}
	set := *g.Set
	if set.Epoch == 0 && set.Height == 0 { // never empty: nobody can prove an empty value
		set.Height = uint64(max(1, ctx.BlockHeight()))
	}
	if err := k.set.Set(ctx, set); err != nil {
		return err
	}
	if err := k.params.Set(ctx, *g.Params); err != nil {
		return err
	}
	if g.Roster != nil {
		if err := k.roster.Set(ctx, *g.Roster); err != nil {
			return err
		}
	}
	if g.RosterInForce != nil {
		if err := k.inForce.Set(ctx, *g.RosterInForce); err != nil {
			return err
		}
	}
	if g.PreviousSet != nil {
		if err := k.previousSet.Set(ctx, *g.PreviousSet); err != nil {
			return err
		}
	}
	if g.Generation != nil {
		if err := k.generation.Set(ctx, *g.Generation); err != nil {
			return err
		}
	}
	for _, j := range g.Joins {
		if err := k.joins.Set(ctx, j.Member, *j); err != nil {
			return err
		}
	}
	for _, c := range g.Contributions {
		if err := k.contributions.Set(ctx, c.Member, *c); err != nil {
			return err
		}
	}
	for _, b := range g.BeaconKeys {
		if err := k.beaconKeys.Set(ctx, b.Epoch, *b); err != nil {
			return err
		}
	}
	return nil
}

// exportEpochs is the inverse of initEpochs.
func (k *Keeper) exportEpochs(goCtx context.Context) (*types.GenesisState, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	now, err := k.keysNow(ctx)
	if err != nil {
		return nil, err
	}
	g := &types.GenesisState{Set: now.Set, Params: now.Params, Generation: now.Generation, RosterInForce: now.Roster}
	if g.Roster, err = newest(ctx, k.roster); err != nil {
		return nil, err
	}
	if g.PreviousSet, err = newest(ctx, k.previousSet); err != nil {
		return nil, err
	}
	if err := k.joins.Walk(ctx, nil, func(_ uint32, j wire.GenerationJoin) (bool, error) {
		g.Joins = append(g.Joins, &j)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.contributions.Walk(ctx, nil, func(_ uint32, c wire.Contribution) (bool, error) {
		g.Contributions = append(g.Contributions, &c)
		return false, nil
	}); err != nil {
		return nil, err
	}
	err = k.beaconKeys.Walk(ctx, nil, func(_ uint64, b wire.BeaconKey) (bool, error) {
		g.BeaconKeys = append(g.BeaconKeys, &b)
		return false, nil
	})
	return g, err
}
