package keeper

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// What judging a piece of evidence costs: some signatures and certificates, and reading all of it. One unit is about 0.1 µs, as the
// SDK prices signatures of accounts.
const (
	gasEvidence     = 20_000
	gasEvidenceByte = 2
)

// maxTold is how many bytes of a value an event repeats.
const maxTold = 256

// MsgServer runs the module's messages.
type MsgServer struct{ Keeper *Keeper }

var _ types.MsgServer = MsgServer{}

// Register implements types.MsgServer.
func (s MsgServer) Register(goCtx context.Context, m *types.MsgRegisterWorker) (*types.MsgRegisterWorkerResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	operator, err := sdk.AccAddressFromBech32(m.Operator)
	if err != nil {
		return nil, types.ErrMalformed.Wrapf("operator %q: %v", m.Operator, err)
	}
	if err := types.CheckRegistration(m); err != nil {
		return nil, err
	}
	id := m.Evidence.Identity
	old, err := k.Worker(ctx, id.Worker)
	if err != nil {
		return nil, err
	}
	if err := k.checkHistory(ctx, old, id); err != nil {
		return nil, err
	}
	verdict, err := k.judge(ctx, m.Evidence)
	if err != nil {
		return nil, err
	}

	if !verdict.Accepted {
		emitRefusal(ctx, id, verdict)
		return &types.MsgRegisterWorkerResponse{}, nil
	}
	w := types.Record(m, verdict, uint64(ctx.BlockHeight()))
	switch {
	case old == nil:
		if w.Bond, err = k.takeBond(ctx, operator); err != nil {
			return nil, err
		}
	case bytes.Equal(old.IdentityKey, w.IdentityKey): // the same boot with newer evidence
		w.Bond, w.RegisteredHeight = old.Bond, old.RegisteredHeight
	default:
		w.Bond = old.Bond
		emit(ctx, types.EventRetired, old)
	}
	if err := k.set(ctx, old, w, m.Evidence); err != nil {
		return nil, err
	}
	if err := k.attestation.KeepCollateral(ctx, attest.Hashes(m.Evidence.Evidence), w.ExpiryHeight); err != nil {
		return nil, err
	}
	emit(ctx, types.EventRegistered, w)
	if w.Role == wire.ROLE_GATEKEEPER {
		if err := k.gatekeepers.Registered(ctx, w); err != nil {
			return nil, err
		}
	}
	return &types.MsgRegisterWorkerResponse{ExpiryHeight: w.ExpiryHeight}, nil
}

// checkHistory refuses an identity that cannot follow what is registered.
func (k *Keeper) checkHistory(ctx sdk.Context, old *wire.Worker, id *wire.WorkerIdentity) error {
	holder, err := k.identities.Get(ctx, id.IdentityKey)
	if err == nil && (holder.K1() != id.Worker.Operator || holder.K2() != id.Worker.Slot) {
		return types.ErrIdentity.Wrapf("identity key %x is registered as worker %s/%d: start pruntime anew, it makes a key at every boot", id.IdentityKey, holder.K1(), holder.K2())
	}
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	var nonce uint64
	if old != nil {
		if nonce, err = k.nonceOf(ctx, old.Worker); err != nil {
			return err
		}
	}
	return types.CheckSuccession(old, nonce, id)
}

// judge has the evidence verified under the policy of its role, at the block's own time. The gas is taken before the work is done.
func (k *Keeper) judge(ctx sdk.Context, e *wire.WorkerEvidence) (v attest.Verdict, err error) {
	ctx.GasMeter().ConsumeGas(gasEvidence+gasEvidenceByte*uint64(len(e.Evidence.Quote)+len(e.Evidence.Collateral)), "evidence")
	id := e.Identity
	hash, err := k.attestation.HashAt(ctx, id.NonceHeight)
	if err != nil {
		return v, err
	}
	policy, err := k.attestation.Policy(ctx, id.Role)
	if err != nil {
		return v, err
	}
	if policy == nil {
		return v, types.ErrPolicy.Wrapf("governance has approved no program for %s yet: propose a policy first", id.Role)
	}
	network, err := k.attestation.Network(ctx)
	if err != nil {
		return v, err
	}
	var broken error
	v = attest.Verify(attest.Input{
		Evidence: e, Policy: policy, Network: network, ChainID: ctx.ChainID(), GenesisUnknown: true, NonceHash: hash,
		Height: uint64(ctx.BlockHeight()), Time: ctx.BlockTime(), Roots: attest.RootsOf(network),
		Stored: func(hash []byte) []byte {
			b, err := k.attestation.Collateral(ctx, hash)
			broken = errors.Join(broken, err)
			ctx.GasMeter().ConsumeGas(gasEvidenceByte*uint64(len(b)), "collateral")
			return b
		},
	})
	return v, broken
}

func (k *Keeper) takeBond(ctx sdk.Context, operator sdk.AccAddress) (string, error) {
	p, err := k.params.Get(ctx)
	if err != nil {
		return "", err
	}
	bond, err := types.ParseAmount(p.MinBond)
	if err != nil {
		return "", err
	}
	if bond.IsPositive() {
		if err := k.bank.SendCoinsFromAccountToModule(ctx, operator, types.ModuleName, k.coins(bond)); err != nil {
			return "", errorsmod.Wrapf(err, "taking the bond of %s%s", bond, k.denom)
		}
	}
	return bond.String(), nil
}

// Unregister implements types.MsgServer.
func (s MsgServer) Unregister(goCtx context.Context, m *types.MsgUnregisterWorker) (*types.MsgUnregisterWorkerResponse, error) {
	k, ctx := s.Keeper, sdk.UnwrapSDKContext(goCtx)
	operator, err := sdk.AccAddressFromBech32(m.Operator)
	if err != nil {
		return nil, types.ErrMalformed.Wrapf("operator %q: %v", m.Operator, err)
	}
	ref := &wire.WorkerRef{Operator: m.Operator, Slot: m.Slot}
	w, err := k.Worker(ctx, ref)
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, types.ErrNotFound.Wrapf("worker %s is not registered: list yours with the query workers", ref.Name())
	}
	if err := k.checkFree(ctx, ref); err != nil {
		return nil, err
	}
	bond, err := types.ParseAmount(w.Bond)
	if err != nil {
		return nil, err
	}
	if err := k.remove(ctx, w); err != nil {
		return nil, err
	}
	if err := k.ended(ctx, w); err != nil {
		return nil, err
	}
	if bond.IsPositive() {
		if err := k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, operator, k.coins(bond)); err != nil {
			return nil, errorsmod.Wrapf(err, "returning the bond of %s%s", bond, k.denom)
		}
	}
	emit(ctx, types.EventUnregistered, w)
	return &types.MsgUnregisterWorkerResponse{}, nil
}

// checkFree refuses to let go a worker that others rely on.
func (k *Keeper) checkFree(ctx sdk.Context, ref *wire.WorkerRef) error {
	held, err := k.gatekeepers.Holds(ctx, ref)
	if err != nil {
		return err
	}
	if held {
		return types.ErrInUse.Wrapf("worker %s is in the gatekeeper set or on its roster: it can leave once an epoch has begun without it, see the roster", ref.Name())
	}
	id, member, err := k.clusters.ClusterOf(ctx, ref)
	if err != nil {
		return err
	}
	if member {
		return types.ErrInUse.Wrapf("worker %s is a member of cluster %d: it can leave once the cluster has another member in its place", ref.Name(), id)
	}
	return nil
}
