package executor

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/wire"
)

// P13: whether an input may draw follows from the chain's state at the batch's header alone.
func TestP13_DrawsFollowTheChain(t *testing.T) {
	const chain = "phala-test"
	commitments, dealt, err := beacon.Deal(1, 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	share, err := beacon.NewShare(0, [][]byte{dealt[0]})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(height uint64) []byte {
		s, err := share.Sign(chain, 3, height)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const h, last = 100, 100 + beacon.Window + 1
	for name, c := range map[string]struct {
		b      *wire.Beacon
		keyed  bool
		absent uint64
		at     uint64
		want   string // value, wait, never or wrong
	}{
		"not asked for":                 {nil, true, 0, h + 2, "wait"},
		"not there yet":                 {nil, true, h + 2, h + 2, "wait"},
		"not asked for, and late":       {nil, true, last - 1, last, "wait"},
		"there never will be one":       {nil, true, last, last, "never"},
		"seen late, batch of before":    {nil, true, last, last - 1, "wait"},
		"there":                         {&wire.Beacon{Height: h, Epoch: 3, Signature: sign(h), Taken: h + 1}, true, h + 1, h + 2, "value"},
		"for ever":                      {&wire.Beacon{Height: h, Epoch: 3, Signature: sign(h), Taken: h + 1}, true, 0, h + 9999, "value"},
		"taken after the batch's state": {&wire.Beacon{Height: h, Epoch: 3, Signature: sign(h), Taken: h + 2}, true, 0, h + 2, "wait"},
		"without its key":               {&wire.Beacon{Height: h, Epoch: 3, Signature: sign(h), Taken: h + 1}, false, 0, h + 2, "wait"},
		"another height's":              {&wire.Beacon{Height: h, Epoch: 3, Signature: sign(h + 1), Taken: h + 1}, true, 0, h + 2, "wrong"},
		"no signature":                  {&wire.Beacon{Height: h, Epoch: 3, Taken: h + 1}, true, 0, h + 2, "wrong"},
	} {
		cl := newCluster(1)
		if c.b != nil {
			cl.beacons.values[h] = c.b
		}
		if c.keyed {
			cl.beacons.keys[3] = &wire.BeaconKey{Epoch: 3, Members: 1, Commitments: commitments}
		}
		cl.beacons.absent[h] = c.absent
		v, err := cl.draw(chain, h, c.at)
		got := "wrong"
		var wait *needBeacon
		switch {
		case errors.As(err, &wait):
			got = "wait"
		case err == nil && v == nil:
			got = "never"
		case err == nil && bytes.Equal(v[:], beacon.Value(sign(h))):
			got = "value"
		}
		if got != c.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, c.want)
		}
	}
}
