package keeper

import (
	"context"
	"encoding/hex"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/attestation/types"
	"github.com/phala-go/phala/core/wire"
)

// MsgServer runs the module's messages.
type MsgServer struct{ Keeper *Keeper }

var _ types.MsgServer = MsgServer{}

// UpdatePolicy implements types.MsgServer.
func (s MsgServer) UpdatePolicy(ctx context.Context, m *types.MsgUpdatePolicy) (*types.MsgUpdatePolicyResponse, error) {
	k := s.Keeper
	if m.Authority != k.authority {
		return nil, types.ErrUnauthorized.Wrapf("policies are replaced by %s, not by %s: submit a proposal", k.authority, m.Authority)
	}
	n, err := k.Network(ctx)
	if err != nil {
		return nil, err
	}
	if m.Policy == nil {
		return nil, types.ErrPolicy.Wrap("policy is missing")
	}
	old, err := k.Policy(ctx, m.Policy.Role)
	if err != nil {
		return nil, err
	}
	height := uint64(sdk.UnwrapSDKContext(ctx).BlockHeight())
	p, err := types.Succeed(n, old, m.Policy, height)
	if err != nil {
		return nil, err
	}
	if err := k.policies.Set(ctx, uint32(p.Role), *p); err != nil {
		return nil, err
	}
	ended, err := k.workers.PolicyChanged(ctx, p)
	if err != nil {
		return nil, err
	}
	emitPolicy(sdk.UnwrapSDKContext(ctx).EventManager(), old, p, height, ended)
	return &types.MsgUpdatePolicyResponse{}, nil
}

// emitPolicy says what changed: what is approved anew and from when it counts, and what ends when.
func emitPolicy(em *sdk.EventManager, old, p *wire.Policy, height uint64, ended int) {
	role := sdk.NewAttribute(types.AttributeRole, p.Role.String())
	em.EmitEvent(sdk.NewEvent(types.EventPolicyUpdated, role,
		sdk.NewAttribute(types.AttributeMeasurements, strconv.Itoa(len(p.Measurements))),
		sdk.NewAttribute(types.AttributeWorkers, strconv.Itoa(ended))))
	for _, m := range p.Measurements {
		if m.ApprovedHeight == height {
			em.EmitEvent(sdk.NewEvent(types.EventMeasurement, role,
				sdk.NewAttribute(types.AttributeMeasurement, hex.EncodeToString(m.Digest)),
				sdk.NewAttribute(types.AttributeCommit, m.SourceCommit),
				sdk.NewAttribute(types.AttributeHeight, strconv.FormatUint(m.ActivationHeight, 10))))
		}
	}
	for _, m := range old.GetMeasurements() {
		if end := types.Ends(p, m.Digest, height); end != 0 && end != m.RetireHeight {
			em.EmitEvent(sdk.NewEvent(types.EventMeasurementEnds, role,
				sdk.NewAttribute(types.AttributeMeasurement, hex.EncodeToString(m.Digest)),
				sdk.NewAttribute(types.AttributeHeight, strconv.FormatUint(end, 10))))
		}
	}
}

// QueryServer answers the module's queries.
type QueryServer struct{ Keeper *Keeper }

var _ types.QueryServer = QueryServer{}

// Network implements types.QueryServer.
func (s QueryServer) Network(ctx context.Context, _ *types.QueryNetworkRequest) (*types.QueryNetworkResponse, error) {
	n, err := s.Keeper.Network(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryNetworkResponse{Network: n}, nil
}

// Policy implements types.QueryServer.
func (s QueryServer) Policy(ctx context.Context, r *types.QueryPolicyRequest) (*types.QueryPolicyResponse, error) {
	p, err := s.Keeper.Policy(ctx, r.Role)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, status.Errorf(codes.NotFound, "%s has no policy yet: governance must give one", r.Role)
	}
	return &types.QueryPolicyResponse{Policy: p}, nil
}

// Collateral implements types.QueryServer.
func (s QueryServer) Collateral(ctx context.Context, r *types.QueryCollateralRequest) (*types.QueryCollateralResponse, error) {
	data, err := s.Keeper.Collateral(ctx, r.Hash)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, status.Errorf(codes.NotFound, "no collateral with hash %x is kept: store it first", r.Hash)
	}
	until, err := s.Keeper.kept.Get(ctx, r.Hash)
	return &types.QueryCollateralResponse{Data: data, KeptUntil: until}, err
}

// Nonce implements types.QueryServer.
func (s QueryServer) Nonce(ctx context.Context, _ *types.QueryNonceRequest) (*types.QueryNonceResponse, error) {
	height, hash, err := s.Keeper.newestNonce(ctx)
	if err != nil {
		return nil, err
	}
	if height == 0 {
		return nil, status.Error(codes.NotFound, "no block has been recorded yet: ask again after the first")
	}
	return &types.QueryNonceResponse{Height: height, Hash: hash}, nil
}
