package types

import (
	errorsmod "cosmossdk.io/errors"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/wire"
)

// The beacon's part of the store, its event and errors.
const (
	BeaconKeyPrefix byte = 0x10
	BeaconPrefix    byte = 0x11

	EventBeacon     = "gatekeeper_beacon" // a height has its public random value
	AttributeHeight = "height"
	AttributeValue  = "value" // hex, 32 bytes
)

// Errors of the beacon.
var (
	ErrBeacon      = errorsmod.Register(ModuleName, 20, "beacon refused")
	ErrBeaconKnown = errorsmod.Register(ModuleName, 21, "the height has its value")
)

// BeaconWindow is how many blocks after a height its value is taken at the latest: a draw that waited longer is made at another
// height, and enclaves tell a contract that there is nothing to draw from.
const BeaconWindow = beacon.Window

// BeaconKept is how many blocks a value stays on the chain.
const BeaconKept = 10_000

// CheckBeacon decides whether b is the value of its height. current and previous are the last two epochs' sets, the keys by epoch;
// height is that of the block that takes it. No hash of a block stands in for a value that is missing.
func CheckBeacon(chainID string, height uint64, current, previous *wire.GatekeeperSet, key *wire.BeaconKey, b *wire.Beacon) error {
	if b == nil || len(b.Signature) != beacon.SignatureSize || b.Taken != 0 {
		return ErrMalformed.Wrapf("beacon needs a signature of %d bytes, has %d; and no height that took it, has %d", beacon.SignatureSize, len(b.GetSignature()), b.GetTaken())
	}
	if b.Height >= height || b.Height+BeaconWindow < height {
		return ErrBeacon.Wrapf("value of height %d at height %d: it is taken from the next block on, for %d blocks", b.Height, height, BeaconWindow)
	}
	if epoch := EpochAt(current, previous, b.Height); b.Epoch != epoch || epoch == 0 {
		return ErrBeacon.Wrapf("value of height %d is signed for epoch %d: the height belongs to epoch %d", b.Height, b.Epoch, epoch)
	}
	if key == nil || key.Epoch != b.Epoch || len(key.Commitments) == 0 {
		return ErrBeacon.Wrapf("epoch %d has no beacon: its gatekeepers make one with their keys", b.Epoch)
	}
	if err := beacon.Verify(key.Commitments[0], chainID, b.Epoch, b.Height, b.Signature); err != nil {
		return ErrBeacon.Wrapf("value of height %d: %v", b.Height, err)
	}
	return nil
}

// EpochAt is the epoch that a height belongs to: the one that had begun with it or before; 0 if it is none of the two.
func EpochAt(current, previous *wire.GatekeeperSet, height uint64) uint64 {
	for _, s := range []*wire.GatekeeperSet{current, previous} {
		if s != nil && s.Epoch != 0 && s.Height <= height {
			return s.Epoch
		}
	}
	return 0
}
