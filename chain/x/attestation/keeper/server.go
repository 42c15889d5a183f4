package keeper

import (
	"context"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/attestation/types"
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
	if err := types.ValidatePolicy(n, m.Policy); err != nil {
		return nil, err
	}
	if err := k.policies.Set(ctx, uint32(m.Policy.Role), *m.Policy); err != nil {
		return nil, err
	}
	sdk.UnwrapSDKContext(ctx).EventManager().EmitEvent(sdk.NewEvent(types.EventPolicyUpdated,
		sdk.NewAttribute(types.AttributeRole, m.Policy.Role.String()),
		sdk.NewAttribute(types.AttributeMeasurements, strconv.Itoa(len(m.Policy.Measurements)))))
	return &types.MsgUpdatePolicyResponse{}, nil
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
