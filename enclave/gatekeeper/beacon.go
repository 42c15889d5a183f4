package gatekeeper

import (
	"fmt"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	signer "github.com/phala-go/phala/enclave/beacon"
)

// draw works on the beacon of the epochs whose shares are held: the current one, and the last heights of the one before. A height is
// signed when the header after it has proven which epoch it belongs to.
func (g *Gatekeeper) draw(c *chain) (outs []*wire.Out) {
	for _, s := range []*wire.GatekeeperSet{c.previous, c.set} {
		e := g.held(s.GetEpoch())
		if s == nil || e == nil || e.share == nil {
			continue
		}
		last := c.height - 1
		if s != c.set {
			last = c.set.Height - 1
		}
		said, err := g.sign(e, s, last)
		outs = append(outs, said...)
		outs = append(outs, g.complain("beacon", fmt.Sprintf("beacon of epoch %d", e.number), err, "its values come from the other gatekeepers meanwhile")...)
	}
	return outs
}

// sign gives out this member's parts up to last, and the values that the chain lacks and this member is to send.
func (g *Gatekeeper) sign(e *epoch, s *wire.GatekeeperSet, last uint64) (outs []*wire.Out, err error) {
	if e.signer == nil {
		if outs, err = g.begun(e, s); err != nil || e.signer == nil {
			return outs, err
		}
	}
	parts, err := e.signer.Sign(last)
	if err != nil {
		return outs, err
	}
	for _, p := range parts {
		outs = append(outs, g.spread(s, p)...)
	}
	lacking := map[uint64]bool{}
	for _, h := range e.signer.Waiting() {
		k := at(storekey.Gatekeeper, storekey.BeaconAt(h))
		outs = append(outs, g.ask(k)...)
		if !g.now.has(k) {
			continue
		}
		b, err := read[wire.Beacon](g.now, k)
		if err != nil {
			return outs, err
		}
		if b != nil {
			e.signer.Known(h)
		} else {
			lacking[h] = true
		}
	}
	return append(outs, values(e.signer.Due(g.now.height, func(h uint64) bool { return lacking[h] }))...), nil
}

// begun starts signing for an epoch, once what its values are checked with is proven.
func (g *Gatekeeper) begun(e *epoch, s *wire.GatekeeperSet) (outs []*wire.Out, err error) {
	me, ok := g.place(s)
	k := at(storekey.Gatekeeper, storekey.BeaconKeyKey(e.number))
	outs = g.ask(k)
	if !ok || !g.now.has(k) {
		return outs, nil
	}
	key, err := read[wire.BeaconKey](g.now, k)
	if err != nil {
		return outs, err
	}
	if key == nil || int(key.Members) != len(s.Members) {
		return outs, fmt.Errorf("the chain has none for its %d members", len(s.Members))
	}
	group, err := beacon.NewGroup(key.Commitments, len(s.Members))
	if err != nil {
		return outs, err
	}
	e.signer = signer.New(signer.Config{
		ChainID: g.cfg.ChainID, Epoch: e.number, Since: s.Height, Members: len(s.Members), Me: me, Share: e.share, Group: group,
	})
	return outs, nil
}

// spread sends a part to every other member that counts.
func (g *Gatekeeper) spread(s *wire.GatekeeperSet, p *wire.BeaconPart) (outs []*wire.Out) {
	for i, m := range s.Members {
		if uint32(i) != p.Member && m.Fault == wire.MEMBER_FAULT_NONE {
			outs = append(outs, &wire.Out{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: m.Worker, Body: &wire.PeerMessage_BeaconPart{BeaconPart: p}}}})
		}
	}
	return outs
}

// BeaconPart takes another member's part of a height's value.
func (g *Gatekeeper) BeaconPart(p *wire.BeaconPart) []*wire.Out {
	e := g.held(p.GetEpoch())
	if e == nil || e.signer == nil || g.now == nil {
		return g.ignore("a part of a beacon value", "of epoch %d, for which this boot does not sign (yet)", p.GetEpoch())
	}
	outs := g.complain("beacon-part", fmt.Sprintf("beacon part of member %d", p.Member), e.signer.Take(p), "its values come from the other gatekeepers meanwhile")
	return append(outs, values(e.signer.Due(g.now.height, func(uint64) bool { return false }))...)
}

func values(due []*wire.Beacon) (outs []*wire.Out) {
	for _, b := range due {
		outs = append(outs, &wire.Out{Body: &wire.Out_Beacon{Beacon: b}})
	}
	return outs
}
