package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/dprf/generation"
	"github.com/phala-go/phala/core/wire"
)

// epochs is the part of the module's state that the making of keys works with.
type epochs struct {
	params        collections.Item[wire.KeyParams]
	roster        collections.Item[wire.GatekeeperRoster] // the newest; absent if the network has none
	inForce       collections.Item[wire.GatekeeperRoster]
	previousSet   collections.Item[wire.GatekeeperSet]
	generation    collections.Item[wire.Generation]
	joins         collections.Map[uint32, wire.GenerationJoin]
	contributions collections.Map[uint32, wire.Contribution]
	beaconKeys    collections.Map[uint64, wire.BeaconKey]
}

func newEpochs(sb *collections.SchemaBuilder, cdc codec.BinaryCodec) epochs {
	prefix := func(b byte) collections.Prefix { return collections.NewPrefix([]byte{b}) }
	return epochs{
		params:        collections.NewItem(sb, prefix(types.ParamsPrefix), "params", codec.CollValue[wire.KeyParams](cdc)),
		roster:        collections.NewItem(sb, prefix(types.RosterPrefix), "roster", codec.CollValue[wire.GatekeeperRoster](cdc)),
		inForce:       collections.NewItem(sb, prefix(types.InForcePrefix), "roster_in_force", codec.CollValue[wire.GatekeeperRoster](cdc)),
		previousSet:   collections.NewItem(sb, prefix(types.PreviousSetPrefix), "previous_set", codec.CollValue[wire.GatekeeperSet](cdc)),
		generation:    collections.NewItem(sb, prefix(types.GenerationPrefix), "generation", codec.CollValue[wire.Generation](cdc)),
		joins:         collections.NewMap(sb, prefix(types.JoinPrefix), "joins", collections.Uint32Key, codec.CollValue[wire.GenerationJoin](cdc)),
		contributions: collections.NewMap(sb, prefix(types.ContributionPrefix), "contributions", collections.Uint32Key, codec.CollValue[wire.Contribution](cdc)),
		beaconKeys:    collections.NewMap(sb, prefix(types.BeaconKeyPrefix), "beacon_keys", collections.Uint64Key, codec.CollValue[wire.BeaconKey](cdc)),
	}
}

// newest is an item's value, nil if there is none.
func newest[T any](ctx context.Context, item collections.Item[T]) (*T, error) {
	v, err := item.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &v, err
}

// at is an entry of a map, nil if there is none.
func at[K, V any](ctx context.Context, m collections.Map[K, V], k K) (*V, error) {
	v, err := m.Get(ctx, k)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &v, err
}

// keyParams is how epochs of keys go.
func (k *Keeper) keyParams(ctx context.Context) (*wire.KeyParams, error) {
	p, err := k.params.Get(ctx)
	return &p, err
}

// keysNow loads where the making of keys stands.
func (k *Keeper) keysNow(ctx sdk.Context) (types.Keys, error) {
	now := types.Keys{Height: uint64(ctx.BlockHeight())}
	var err [5]error
	now.Network, err[0] = k.attestation.Network(ctx)
	now.Params, err[1] = k.keyParams(ctx)
	now.Roster, err[2] = newest(ctx, k.inForce)
	now.Set, err[3] = newest(ctx, k.set)
	now.Generation, err[4] = newest(ctx, k.generation)
	return now, errors.Join(err[:]...)
}

// EndBlock takes a new roster into force, advances the generation under way and begins one that is due. A block in which
// nothing happens costs the same few reads, whatever there is.
func (k *Keeper) EndBlock(goCtx context.Context) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := k.takeRoster(ctx); err != nil {
		return err
	}
	now, err := k.keysNow(ctx)
	if err != nil || now.Roster == nil {
		return err
	}
	if types.Running(now.Generation) {
		if err := k.advance(ctx, &now); err != nil {
			return err
		}
	}
	reason := now.Due()
	if reason == "" {
		return nil
	}
	registered := 0
	for _, ref := range now.Roster.Members {
		w, err := k.workers.Worker(ctx, ref)
		if err != nil {
			return err
		}
		if types.InService(w, now.Height+1) {
			registered++
		}
	}
	if !now.Ready(registered) {
		return nil
	}
	return k.begin(ctx, now, reason)
}

// takeRoster puts the newest roster in force once its height has come.
func (k *Keeper) takeRoster(ctx sdk.Context) error {
	r, err := newest(ctx, k.roster)
	if err != nil || r == nil || r.FromHeight > uint64(ctx.BlockHeight()) {
		return err
	}
	old, err := newest(ctx, k.inForce)
	if err != nil || types.SameRoster(old, r) {
		return err
	}
	emitRoster(ctx, types.EventRosterForce, r)
	return k.inForce.Set(ctx, *r)
}

// advance takes the generation under way as far as it goes with this block, and the set with it if it is done.
func (k *Keeper) advance(ctx sdk.Context, now *types.Keys) error {
	g := now.Generation
	was := g.Phase
	if now.Superseded() {
		g.Phase, g.PhaseHeight, g.Deadline = wire.GENERATION_PHASE_FAILED, now.Height, 0
	} else {
		faults := faultsOf(g)
		if !generation.Next(g, now.Height, now.Least()) {
			return nil
		}
		if err := k.punish(ctx, now.Params, g, faults); err != nil {
			return err
		}
	}
	if err := k.generation.Set(ctx, *g); err != nil {
		return err
	}
	switch {
	case g.Phase == was:
		return nil
	case g.Phase == wire.GENERATION_PHASE_FAILED:
		emitGeneration(ctx, types.EventFailed, g, sdk.NewAttribute(types.AttributeRetry, decimal(max(now.RetryHeight(), now.Height))))
		return nil
	case g.Phase == wire.GENERATION_PHASE_DONE:
		return k.turn(ctx, now)
	}
	emitGeneration(ctx, types.EventPhase, g, sdk.NewAttribute(types.AttributePhase, g.Phase.String()), sdk.NewAttribute(types.AttributeDeadline, decimal(g.Deadline)))
	return nil
}

// turn begins the epoch whose keys have been made.
func (k *Keeper) turn(ctx sdk.Context, now *types.Keys) error {
	g := now.Generation
	set, err := generation.Set(g)
	if err != nil {
		return err
	}
	if now.Set.Epoch != 0 {
		if err := k.previousSet.Set(ctx, *now.Set); err != nil {
			return err
		}
	}
	now.Set = set
	if err := k.set.Set(ctx, *set); err != nil {
		return err
	}
	if err := k.keepBeacon(ctx, g); err != nil {
		return err
	}
	emitGeneration(ctx, types.EventEpochBegun, g,
		sdk.NewAttribute(types.AttributeNeeded, decimal(uint64(set.Threshold))),
		sdk.NewAttribute(types.AttributeMembers, decimal(uint64(len(set.Members)))),
		sdk.NewAttribute(types.AttributeServing, decimal(uint64(types.Serving(set)))))
	return nil
}

// keepBeacon stores what the epoch's beacon is checked with. Members who deal polynomials that cancel each other out leave the
// epoch without a beacon: nothing is drawn then, but the chain and its keys go on.
func (k *Keeper) keepBeacon(ctx sdk.Context, g *wire.Generation) error {
	dealt := make(map[uint32]*wire.Contribution)
	for i, m := range g.Members {
		if m.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		c, err := k.contributions.Get(ctx, uint32(i))
		if err != nil {
			return err
		}
		dealt[uint32(i)] = &c
	}
	key, err := generation.BeaconKey(g, dealt)
	if err != nil {
		emitGeneration(ctx, types.EventNoBeacon, g, sdk.NewAttribute(types.AttributeReason, err.Error()))
		return nil
	}
	return k.beaconKeys.Set(ctx, g.Epoch, *key)
}

// begin invites the roster in force. What members sent in the generation before is gone from here on.
func (k *Keeper) begin(ctx sdk.Context, now types.Keys, reason string) error {
	if err := errors.Join(k.joins.Clear(ctx, nil), k.contributions.Clear(ctx, nil)); err != nil {
		return err
	}
	g, err := now.Begin()
	if err != nil {
		return err
	}
	emitGeneration(ctx, types.EventGeneration, g, sdk.NewAttribute(types.AttributeReason, reason), sdk.NewAttribute(types.AttributeDeadline, decimal(g.Deadline)))
	return k.generation.Set(ctx, *g)
}

func faultsOf(g *wire.Generation) []wire.MemberFault {
	out := make([]wire.MemberFault, len(g.Members))
	for i, m := range g.Members {
		out[i] = m.Fault
	}
	return out
}

// punish tells of the members that have been excluded since before, and takes what that costs them.
func (k *Keeper) punish(ctx sdk.Context, p *wire.KeyParams, g *wire.Generation, before []wire.MemberFault) error {
	for i, m := range g.Members {
		if m.Fault == before[i] {
			continue
		}
		emitGeneration(ctx, types.EventExcluded, g, append(workerAttributes(m.Worker),
			sdk.NewAttribute(types.AttributeMember, decimal(uint64(i))),
			sdk.NewAttribute(types.AttributeFault, m.Fault.String()))...)
		if err := k.workers.Slash(ctx, m.Worker, types.Slash(p, m.Fault), m.Fault.String()); err != nil {
			return err
		}
	}
	return nil
}

func emitGeneration(ctx sdk.Context, event string, g *wire.Generation, more ...sdk.Attribute) {
	ctx.EventManager().EmitEvent(sdk.NewEvent(event, append([]sdk.Attribute{
		sdk.NewAttribute(types.AttributeEpoch, decimal(g.Epoch)), sdk.NewAttribute(types.AttributeAttempt, decimal(uint64(g.Attempt))),
	}, more...)...))
}

func emitRoster(ctx sdk.Context, event string, r *wire.GatekeeperRoster) {
	ctx.EventManager().EmitEvent(sdk.NewEvent(event,
		sdk.NewAttribute(types.AttributeNeeded, decimal(uint64(r.Threshold))),
		sdk.NewAttribute(types.AttributeMembers, decimal(uint64(len(r.Members)))),
		sdk.NewAttribute(types.AttributeFrom, decimal(r.FromHeight))))
}
