// Package keeper keeps what the network trusts: its development flag, which programs may serve in which role, the hashes of
// recent blocks that evidence must name, and collateral that the evidence of many workers shares. It must never let a message
// change the flag.
package keeper

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/attestation/types"
	"github.com/phala-go/phala/core/wire"
)

// Keeper is the module's access to its state.
type Keeper struct {
	authority string
	workers   Workers

	Schema     collections.Schema
	network    collections.Item[wire.NetworkParams]
	policies   collections.Map[uint32, wire.Policy]
	nonces     collections.Map[uint64, []byte]
	collateral collections.Map[[]byte, []byte]
	kept       collections.Map[[]byte, uint64]
	forget     collections.KeySet[collections.Pair[uint64, []byte]]
}

// New makes the keeper; authority is who may replace policies.
func New(cdc codec.BinaryCodec, s store.KVStoreService, authority string) (*Keeper, error) {
	sb := collections.NewSchemaBuilder(s)
	k := &Keeper{
		authority: authority,
		network:   collections.NewItem(sb, collections.NewPrefix([]byte{types.NetworkPrefix}), "network", codec.CollValue[wire.NetworkParams](cdc)),
		policies:  collections.NewMap(sb, collections.NewPrefix([]byte{types.PolicyPrefix}), "policies", collections.Uint32Key, codec.CollValue[wire.Policy](cdc)),
		nonces:    collections.NewMap(sb, collections.NewPrefix([]byte{types.NoncePrefix}), "nonces", collections.Uint64Key, collections.BytesValue),

		collateral: collections.NewMap(sb, collections.NewPrefix([]byte{types.CollateralPrefix}), "collateral", collections.BytesKey, collections.BytesValue),
		kept:       collections.NewMap(sb, collections.NewPrefix([]byte{types.KeptPrefix}), "kept", collections.BytesKey, collections.Uint64Value),
		forget: collections.NewKeySet(sb, collections.NewPrefix([]byte{types.ForgetPrefix}), "forget",
			collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
	}
	var err error
	k.Schema, err = sb.Build()
	return k, err
}

// SetNeighbours names the module whose workers a policy ends; it is made after this one.
func (k *Keeper) SetNeighbours(w Workers) { k.workers = w }

// Network is what the genesis said about the network.
func (k *Keeper) Network(ctx context.Context) (*wire.NetworkParams, error) {
	n, err := k.network.Get(ctx)
	return &n, err
}

// Policy is the policy of role, nil if governance has given none.
func (k *Keeper) Policy(ctx context.Context, role wire.Role) (*wire.Policy, error) {
	p, err := k.policies.Get(ctx, uint32(role))
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &p, err
}

// HashAt is the hash of the block at height, nil if it is not among the newest.
func (k *Keeper) HashAt(ctx context.Context, height uint64) ([]byte, error) {
	h, err := k.nonces.Get(ctx, height)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return h, err
}

// BeginBlock records the block's own hash, known since consensus, and forgets the oldest.
func (k *Keeper) BeginBlock(ctx context.Context) error {
	info := sdk.UnwrapSDKContext(ctx).HeaderInfo()
	if len(info.Hash) != 32 { // a replay without consensus, in tests
		return nil
	}
	height := uint64(info.Height)
	if err := k.forgetCollateral(ctx, height); err != nil {
		return err
	}
	if height > types.NoncesKept {
		if err := k.nonces.Remove(ctx, height-types.NoncesKept); err != nil {
			return err
		}
	}
	return k.nonces.Set(ctx, height, bytes.Clone(info.Hash))
}

// newestNonce is the newest recorded block, 0 before the first.
func (k *Keeper) newestNonce(ctx context.Context) (height uint64, hash []byte, err error) {
	err = k.nonces.Walk(ctx, new(collections.Range[uint64]).Descending(), func(h uint64, v []byte) (bool, error) {
		height, hash = h, v
		return true, nil
	})
	return height, hash, err
}

// InitGenesis stores a validated genesis.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	n := *g.Network
	n.Version = types.NetworkVersion
	if err := k.network.Set(ctx, n); err != nil {
		return err
	}
	for _, p := range g.Policies {
		if err := k.policies.Set(ctx, uint32(p.Role), *p); err != nil {
			return err
		}
	}
	for _, c := range g.Collateral {
		if _, err := k.storeCollateral(ctx, c.Data, c.KeptUntil); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis leaves out the hashes of this chain's blocks: a chain that starts anew has none.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	n, err := k.Network(ctx)
	if err != nil {
		return nil, err
	}
	g := &types.GenesisState{Network: n}
	err = k.policies.Walk(ctx, nil, func(_ uint32, p wire.Policy) (bool, error) {
		g.Policies = append(g.Policies, &p)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	g.Collateral, err = k.exportCollateral(ctx)
	return g, err
}
