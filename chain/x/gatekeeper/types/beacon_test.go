package types

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/wire"
)

func TestCheckBeacon(t *testing.T) {
	const chain = "phala-test"
	keys, shares := map[uint64]*wire.BeaconKey{}, map[uint64]*beacon.Share{}
	for _, epoch := range []uint64{4, 5} {
		commitments, dealt, err := beacon.Deal(1, 1, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if shares[epoch], err = beacon.NewShare(0, dealt); err != nil {
			t.Fatal(err)
		}
		keys[epoch] = &wire.BeaconKey{Epoch: epoch, Members: 1, Commitments: commitments}
	}
	current, previous := &wire.GatekeeperSet{Epoch: 5, Height: 100}, &wire.GatekeeperSet{Epoch: 4, Height: 90}
	value := func(epoch, height uint64) *wire.Beacon {
		sig, err := shares[epoch].Sign(chain, epoch, height)
		if err != nil {
			t.Fatal(err)
		}
		return &wire.Beacon{Epoch: epoch, Height: height, Signature: sig}
	}
	for _, b := range []*wire.Beacon{value(5, 100), value(5, 119), value(4, 99), value(4, 90)} {
		if err := CheckBeacon(chain, 120, current, previous, keys[b.Epoch], b); err != nil {
			t.Errorf("height %d: %v", b.Height, err)
		}
	}
	forged := value(5, 110)
	forged.Height = 111
	for name, c := range map[string]struct {
		b      *wire.Beacon
		key    *wire.BeaconKey
		height uint64
		want   error
	}{
		"nothing":                   {nil, keys[5], 120, ErrMalformed},
		"no signature":              {&wire.Beacon{Epoch: 5, Height: 110}, keys[5], 120, ErrMalformed},
		"a height that took it":     {&wire.Beacon{Epoch: 5, Height: 110, Signature: value(5, 110).Signature, Taken: 120}, keys[5], 120, ErrMalformed},
		"the block itself":          {value(5, 120), keys[5], 120, ErrBeacon},
		"a block to come":           {value(5, 130), keys[5], 120, ErrBeacon},
		"too late":                  {value(5, 100), keys[5], 100 + BeaconWindow + 1, ErrBeacon},
		"the old key after the end": {value(4, 100), keys[4], 120, ErrBeacon},
		"the new key before it":     {value(5, 99), keys[5], 120, ErrBeacon},
		"before both":               {value(4, 89), keys[4], 120, ErrBeacon},
		"no key":                    {value(5, 110), nil, 120, ErrBeacon},
		"another epoch's key":       {value(5, 110), keys[4], 120, ErrBeacon},
		"another height's value":    {forged, keys[5], 120, ErrBeacon},
	} {
		if err := CheckBeacon(chain, c.height, current, previous, c.key, c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := CheckBeacon("another", 120, current, previous, keys[5], value(5, 110)); !errors.Is(err, ErrBeacon) {
		t.Errorf("another chain's value: %v", err)
	}
	if EpochAt(&wire.GatekeeperSet{}, nil, 7) != 0 {
		t.Error("a chain without epochs has one")
	}
}
