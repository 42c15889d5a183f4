package keeper

import (
	"context"
	"encoding/hex"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/wire"
)

// gasBeacon is what checking a signature of the beacon costs: a pairing check of some 3 ms.
const gasBeacon = 30_000

// newBeacons holds the values by height.
func newBeacons(sb *collections.SchemaBuilder, c codec.BinaryCodec) collections.Map[uint64, wire.Beacon] {
	return collections.NewMap(sb, collections.NewPrefix([]byte{types.BeaconPrefix}), "beacons", collections.Uint64Key, codec.CollValue[wire.Beacon](c))
}

// SubmitBeacon implements types.MsgServer.
func (s MsgServer) SubmitBeacon(goCtx context.Context, m *types.MsgSubmitBeacon) (*types.MsgSubmitBeaconResponse, error) {
	k, ctx, b := s.Keeper, sdk.UnwrapSDKContext(goCtx), m.Beacon
	known, err := k.beacons.Has(ctx, b.GetHeight())
	if err != nil {
		return nil, err
	}
	if known {
		return nil, types.ErrBeaconKnown.Wrapf("height %d: another gatekeeper was first", b.GetHeight())
	}
	ctx.GasMeter().ConsumeGas(gasBeacon, "beacon")
	key, err := at(ctx, k.beaconKeys, b.GetEpoch())
	if err != nil {
		return nil, err
	}
	current, err := newest(ctx, k.set)
	if err != nil {
		return nil, err
	}
	previous, err := newest(ctx, k.previousSet)
	if err != nil {
		return nil, err
	}
	height := uint64(ctx.BlockHeight())
	if err := types.CheckBeacon(ctx.ChainID(), height, current, previous, key, b); err != nil {
		return nil, err
	}
	b.Taken = height
	if err := k.beacons.Set(ctx, b.Height, *b); err != nil {
		return nil, err
	}
	if height > types.BeaconKept {
		if err := k.beacons.Clear(ctx, new(collections.Range[uint64]).EndExclusive(height-types.BeaconKept)); err != nil {
			return nil, err
		}
	}
	value := beacon.Value(b.Signature)
	ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventBeacon,
		sdk.NewAttribute(types.AttributeHeight, decimal(b.Height)),
		sdk.NewAttribute(types.AttributeEpoch, decimal(b.Epoch)),
		sdk.NewAttribute(types.AttributeValue, hex.EncodeToString(value))))
	return &types.MsgSubmitBeaconResponse{Value: value}, nil
}

// Draw is the public random value of a height, 32 bytes; nil while there is none. Nothing takes its place: what is to be drawn waits.
func (k *Keeper) Draw(ctx context.Context, height uint64) ([]byte, error) {
	b, err := at(ctx, k.beacons, height)
	if err != nil || b == nil {
		return nil, err
	}
	return beacon.Value(b.Signature), nil
}

// Beacon implements types.QueryServer.
func (s QueryServer) Beacon(ctx context.Context, r *types.QueryBeaconRequest) (*types.QueryBeaconResponse, error) {
	k, height := s.Keeper, r.Height
	if height == 0 {
		it, err := k.beacons.Iterate(ctx, new(collections.Range[uint64]).Descending())
		if err != nil {
			return nil, err
		}
		defer it.Close()
		if it.Valid() {
			if height, err = it.Key(); err != nil {
				return nil, err
			}
		}
	}
	b, err := at(ctx, k.beacons, height)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, status.Errorf(codes.NotFound, "height %d has no beacon value, or none any more: they are made a block later and kept for %d", r.Height, types.BeaconKept)
	}
	key, err := at(ctx, k.beaconKeys, b.Epoch)
	if err != nil {
		return nil, err
	}
	return &types.QueryBeaconResponse{Beacon: b, Value: beacon.Value(b.Signature), Key: key}, nil
}
