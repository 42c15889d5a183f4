package keepertest

import (
	"bytes"
	"testing"

	errorsmod "cosmossdk.io/errors"

	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// signer makes the beacon's values of an epoch that has begun, with its members' shares.
func (k *gatekeepers) signer(g *wire.Generation) func(height uint64) *wire.Beacon {
	k.t.Helper()
	key := new(wire.BeaconKey)
	if !k.read(storekey.BeaconKeyKey(g.Epoch), key) {
		k.t.Fatal("the epoch has no beacon")
	}
	group, err := beacon.NewGroup(key.Commitments, int(key.Members))
	k.check(err)
	shares := map[int]*beacon.Share{}
	for i, m := range g.Members {
		if m.Fault == wire.MEMBER_FAULT_NONE && len(shares) < int(g.Threshold) {
			shares[i], err = k.members[i].Beacon(g)
			k.check(err)
		}
	}
	return func(height uint64) *wire.Beacon {
		parts := map[int][]byte{}
		for i, s := range shares {
			parts[i], err = s.Sign(k.Genesis.ChainID, g.Epoch, height)
			k.check(err)
		}
		sig, err := group.Combine(parts)
		k.check(err)
		return &wire.Beacon{Height: height, Epoch: g.Epoch, Signature: sig}
	}
}

func TestBeaconValues(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	g := k.run(1, 1)
	first := k.signer(g)
	submit := func(b *wire.Beacon) *gatekeepertypes.MsgSubmitBeacon {
		return &gatekeepertypes.MsgSubmitBeacon{Sender: k.Accounts[3].String(), Beacon: b}
	}
	at := uint64(k.Height)
	good := first(at)
	res := k.MustDeliver(k.Accounts[3], submit(good))
	k.event(res, gatekeepertypes.EventBeacon)
	value, err := k.App.GatekeeperKeeper.Draw(k.Ctx(), at)
	k.check(err)
	if !bytes.Equal(value, beacon.Value(good.Signature)) {
		t.Errorf("drawn %x", value)
	}
	if none, err := k.App.GatekeeperKeeper.Draw(k.Ctx(), at+1); err != nil || none != nil {
		t.Errorf("a height without a value draws %x, %v", none, err)
	}
	if stored := new(wire.Beacon); !k.read(storekey.BeaconAt(at), stored) || !bytes.Equal(stored.Signature, good.Signature) {
		t.Error("the value is not where enclaves read it")
	}
	other := first(at + 1)
	for name, c := range map[string]struct {
		b     *wire.Beacon
		err   *errorsmod.Error
		words string
	}{
		"again":                {good, gatekeepertypes.ErrBeaconKnown, "first"},
		"another's signature":  {&wire.Beacon{Height: at + 1, Epoch: 1, Signature: good.Signature}, gatekeepertypes.ErrBeacon, ""},
		"a height to come":     {first(uint64(k.Height) + 50), gatekeepertypes.ErrBeacon, "next block"},
		"before the epoch":     {first(g.PhaseHeight - 1), gatekeepertypes.ErrBeacon, "belongs to epoch 0"},
		"another epoch":        {&wire.Beacon{Height: at + 1, Epoch: 2, Signature: other.Signature}, gatekeepertypes.ErrBeacon, "epoch"},
		"a short signature":    {&wire.Beacon{Height: at + 1, Epoch: 1, Signature: other.Signature[1:]}, gatekeepertypes.ErrMalformed, "47"},
		"nothing":              {nil, gatekeepertypes.ErrMalformed, "signature"},
		"no point's signature": {&wire.Beacon{Height: at + 1, Epoch: 1, Signature: make([]byte, 48)}, gatekeepertypes.ErrBeacon, ""},
	} {
		t.Run(name, func(t *testing.T) {
			(&world{k.Net, t}).refused(k.Deliver(k.Accounts[3], submit(c.b)), c.err, c.words)
		})
	}
	k.MustDeliver(k.Accounts[3], submit(other))

	// The value of a height keeps the key of its epoch after the border.
	late := uint64(k.Height)
	for i := range k.boots {
		k.reboot(i, "second boot "+string(rune('0'+i)))
	}
	g = k.run(2, 1)
	k.MustDeliver(k.Accounts[3], submit(first(late)))
	k.refused(k.Deliver(k.Accounts[3], submit(first(g.PhaseHeight))), gatekeepertypes.ErrBeacon, "belongs to epoch 2")
	k.Blocks(1)
	k.MustDeliver(k.Accounts[3], submit(k.signer(g)(g.PhaseHeight)))
}
