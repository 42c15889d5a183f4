package runtime_test

import (
	"bytes"
	"testing"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// Every height has its value, over a border and with a gatekeeper down; with fewer than the threshold there is none, and no other
// takes its place.
func TestBeaconOfEveryHeight(t *testing.T) {
	n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 2))
	first := n.Chain.Set().Height
	n.Blocks(6)
	n.Chain.Border()
	n.Blocks(12)
	if n.Chain.Epoch() != 2 {
		t.Fatalf("epoch %d after a border", n.Chain.Epoch())
	}
	n.Keepers[1].Dead = true
	n.Blocks(20)
	seen := map[string]uint64{}
	for h := first; h+14 < n.Chain.Height; h++ {
		b := n.Chain.BeaconOf(h)
		if b == nil {
			t.Errorf("height %d of %d has no value", h, n.Chain.Height)
			continue
		}
		if other, ok := seen[string(b.Signature)]; ok {
			t.Errorf("heights %d and %d have the same value", other, h)
		}
		seen[string(b.Signature)] = h
	}
	n.Keepers[0].Dead, n.Keepers[2].Dead = true, true
	stopped := n.Chain.Height
	n.Blocks(10)
	for h := stopped + 1; h < n.Chain.Height; h++ {
		if b := n.Chain.BeaconOf(h); b != nil {
			t.Errorf("height %d has a value made by one gatekeeper", h)
		}
	}
}

// A host that passes its gatekeeper garbage, or another gatekeeper's lies, gains nothing.
func TestBeaconPartsOfStrangers(t *testing.T) {
	n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 3))
	liar := n.Keepers[2]
	n.DropPeer = func(from *enclavetest.Node, m *wire.PeerMessage) bool {
		if p := m.GetBeaconPart(); p != nil && from == liar {
			p.Part = bytes.Repeat([]byte{0x8f}, len(p.Part))
		}
		return false
	}
	n.Blocks(25)
	if n.Chain.BeaconOf(n.Chain.Height-15) == nil {
		t.Error("one liar among four stops a beacon that three make")
	}
	for _, p := range []*wire.BeaconPart{nil, {}, {Epoch: 1, Height: n.Chain.Height, Member: 9}, {Epoch: 7, Height: n.Chain.Height, Member: 1, Part: make([]byte, 48)}} {
		n.Post(n.Keepers[0], &wire.In{Body: &wire.In_Peer{Peer: &wire.PeerMessage{To: n.Keepers[0].Ref, Body: &wire.PeerMessage_BeaconPart{BeaconPart: p}}}})
	}
}
